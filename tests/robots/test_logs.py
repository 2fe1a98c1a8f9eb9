from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.logs import command_lag, log_files, read_log

NAMES = ("time", "pos_meas1", "vel_meas1", "tau_con1", "tau_meas1", "vel_des1")
Write = Callable[..., Path]


def table(rows: int = 500, lag: int = 0) -> np.ndarray:
    """A run at 500 Hz: a command of two sines, torque following `lag` rows later, and a column of no interest."""
    time = 0.002 * np.arange(rows)
    command = np.sin(40 * time) + 0.5 * np.sin(93 * time)
    torque = np.concatenate([np.zeros(lag), command[: rows - lag]])
    return np.stack([time, 0.1 * time, np.full(rows, 0.1), command, torque, np.full(rows, np.nan)], -1)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: np.ndarray, names: tuple[str, ...] = NAMES, name: str = "run") -> Path:
        path = tmp_path / f"{name}.npz"
        np.savez(path, columns=np.array(names), data=data)
        return path

    return write


def test_a_run_is_read_by_the_names_of_its_columns(write: Write) -> None:
    data = table()
    log = read_log(write(data[:, ::-1], NAMES[::-1]), 1)
    assert (log.name, log.joint_pos.shape) == ("run", (500, 1))
    for found, column in zip((log.time, log.joint_vel[:, 0], log.command[:, 0]), (0, 2, 3), strict=True):
        assert np.array_equal(found, data[:, column])


def test_commands_stand_between_their_stamps(write: Write) -> None:
    data = table(4)
    data[:, 0], data[:, 3] = [0.0, 0.002, 0.007, 0.008], [1, 2, 3, 4]
    log = read_log(write(data), 1)
    asked = log.commands_at(np.array([[-0.01, 0.0, 0.001], [0.002, 0.0069, 0.009]]))
    assert asked[..., 0].tolist() == [[1, 1, 1], [2, 2, 4]]
    assert log.positions_at(np.array([0.0045])) == pytest.approx((data[1, 1] + data[2, 1]) / 2)


@pytest.mark.parametrize("lag", [0, 4, 11])
def test_the_lag_of_torque_behind_command_is_recovered(write: Write, lag: int) -> None:
    assert command_lag([read_log(write(table(lag=lag)), 1)], [10.0]) == pytest.approx(0.002 * lag, abs=0.0011)


def test_a_lag_needs_torque_and_a_command_that_changes(write: Write) -> None:
    silent = table()
    silent[:, 3] = 0.0
    for path in (write(silent), write(table()[:, :4], NAMES[:4])):
        with pytest.raises(ConfigError, match="command delay cannot be estimated"):
            command_lag([read_log(path, 1)], [10.0])


def shuffled(data: np.ndarray) -> None:
    data[[7, 8]] = data[[8, 7]]


def repeated(data: np.ndarray) -> None:
    data[8, 0] = data[7, 0]


def holed(data: np.ndarray) -> None:
    data[9, 1] = np.nan


def endless(data: np.ndarray) -> None:
    data[9, 3] = np.inf


def interrupted(data: np.ndarray) -> None:
    data[100:, 0] += 0.2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shuffled, r"time does not increase in row 8: 0\.016 s, then 0\.014 s"),
        (repeated, "time does not increase in row 8"),
        (holed, "pos_meas1 is not a number in 1 rows, first in row 9"),
        (endless, "tau_con1 is not a number in 1 rows, first in row 9"),
        (interrupted, r"nothing for 0\.202 s after row 99; at most 0\.05 s"),
    ],
)
def test_a_damaged_run_is_refused(write: Write, damage: Callable[[np.ndarray], None], message: str) -> None:
    data = table()
    damage(data)
    with pytest.raises(ConfigError, match=message):
        read_log(write(data), 1)


def test_a_file_that_is_no_log_is_refused(write: Write, tmp_path: Path) -> None:
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    np.savez(tmp_path / "other.npz", states=np.zeros(3))
    for path, joints, message in (
        (tmp_path / "absent.npz", 1, "no such file"),
        (text, 1, "not a log; expected an .npz with 'columns' and 'data'"),
        (tmp_path / "other.npz", 1, "not a log"),
        (write(table(), name="one"), 2, "no column 'pos_meas2'; did you mean 'pos_meas1'"),
        (write(table()[:, :5], name="narrow"), 1, r"6 columns are named, data has the shape \(500, 5\)"),
        (write(table(1), name="short"), 1, "1 rows are no recording"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_log(path, joints)


def test_a_folder_stands_for_its_logs_in_order(write: Write, tmp_path: Path) -> None:
    second, first = write(table(), name="b"), write(table(), name="a")
    assert log_files([tmp_path]) == [first, second]
    assert log_files([second, first]) == [second, first]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \.npz or .* in there"):
        log_files([tmp_path / "empty"])
