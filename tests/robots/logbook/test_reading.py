"""Logs of every format are read through a map of columns, whose mistakes are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.logbook.columns import ColumnMap, ordered, published, recorded
from robots.logbook.errors import LogError
from robots.logbook.reading import read_runs
from robots.logbook.tables import read_table
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin, Tick
from tests.robots.logbook.sine_log import sine_log

MAP = {
    "time": {"column": "t", "unit": "ms"},
    "joints": {
        "shoulder": {"unit": "deg", "pos": "q1", "vel": "dq1", "command": "u1", "command_scale": 2.0},
        "elbow": {"pos": {"cos": "c2", "sin": "s2"}},
    },
}


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    rows = np.column_stack(list(columns.values())).tolist()
    path.write_text("\n".join([", ".join(columns), *(",".join(map(repr, row)) for row in rows)]))
    return path


def test_a_csv_is_read_in_its_own_names_and_units(tmp_path: Path) -> None:
    log = sine_log(2.0)
    q, dq = np.rad2deg(log.joint_pos[:, 0]), np.rad2deg(log.joint_vel[:, 0])
    turned = log.joint_pos[:, 1] + 8 * log.time
    columns = {"t": 1e3 * log.time, "q1": q, "dq1": dq, "u1": log.command[:, 0] / 2}
    columns |= {"c2": np.cos(turned), "s2": np.sin(turned)}
    (run,) = read_runs(write_csv(tmp_path / "run.csv", columns), ColumnMap.parse(MAP))
    assert run.name == "run"
    assert run.time == pytest.approx(log.time)
    assert run.joint_pos[:, 0] == pytest.approx(log.joint_pos[:, 0])
    assert np.ptp(run.joint_pos[:, 1] - turned) < 1e-9
    assert run.joint_vel[50:60, 1] == pytest.approx(np.gradient(turned, log.time)[50:60])
    assert run.command[:, 0] == pytest.approx(log.command[:, 0])


def test_published_archives_need_no_map(tmp_path: Path) -> None:
    log = sine_log(2.0)
    names = [
        "time",
        "pos_meas1",
        "pos_meas2",
        "vel_meas1",
        "vel_meas2",
        "tau_con1",
        "tau_con2",
        "tau_meas1",
        "tau_meas2",
    ]
    data = np.column_stack([log.time, log.joint_pos, log.joint_vel, log.command, log.command])
    np.savez(tmp_path / "a.npz", columns=np.array(names), data=data)
    (run,) = read_runs(tmp_path / "a.npz", published(("shoulder", "elbow")))
    assert np.array_equal(run.joint_pos, log.joint_pos)
    assert run.torque is not None
    assert np.array_equal(run.torque, log.command)
    np.savez(tmp_path / "b.npz", **dict(zip(names[:7], data.T, strict=False)))
    (plain,) = read_runs(tmp_path / "b.npz", published(("shoulder", "elbow")))
    assert plain.torque is None
    passive = published(("shoulder", "elbow"), driven=1)
    assert read_runs(tmp_path / "a.npz", passive)[0].command.shape == (400, 1)


@pytest.mark.parametrize(
    ("text", "row", "message"),
    [
        ("t,q1\n0,1\n1,x", 1, "q1 is 'x'; valid: a number"),
        ("t,q1\n0,1\n1", 1, "1 cells; valid: 2"),
        ("t,q1", None, "1 lines; valid: a line of names, then numbers"),
    ],
)
def test_a_broken_csv_is_refused_with_its_row(tmp_path: Path, text: str, row: int | None, message: str) -> None:
    path = tmp_path / "run.csv"
    path.write_text(text)
    with pytest.raises(LogError, match=message) as error:
        read_table(path)
    assert error.value.row == row


def test_mistakes_in_the_map_are_named(tmp_path: Path) -> None:
    log = sine_log(2.0)
    path = write_csv(tmp_path / "run.csv", {"t": log.time, "q1": log.joint_pos[:, 0], "dq_1": log.joint_vel[:, 0]})
    with pytest.raises(LogError, match="no column 'dq1'; valid: did you mean 'dq_1'"):
        read_runs(path, ColumnMap.parse({"time": "t", "joints": {"arm": {"pos": "q1", "vel": "dq1"}}}))
    with pytest.raises(ConfigError, match="unknown key 'joints.arm.position'; did you mean 'pos'"):
        ColumnMap.parse({"joints": {"arm": {"pos": "q", "position": "q1"}}})
    columns = ColumnMap.parse(MAP)
    with pytest.raises(ConfigError, match="no joint 'elbow'; did you mean 'elbows'"):
        ordered(columns, ("shoulder", "elbows"), ("shoulder",))
    with pytest.raises(ConfigError, match="joint 'elbow' is driven and has no 'command'"):
        ordered(columns, ("shoulder", "elbow"), ("shoulder", "elbow"))
    with pytest.raises(ConfigError, match="joint 'wrist' has no columns"):
        ordered(columns, ("shoulder", "elbow", "wrist"), ("shoulder",))
    assert list(ordered(columns, ("elbow", "shoulder"), ("shoulder",)).joints) == ["elbow", "shoulder"]
    for name, message in (("run.txt", "ends in '.txt'"), ("absent.csv", "no such file")):
        with pytest.raises(LogError, match=message):
            read_table(tmp_path / name)


@pytest.mark.parametrize("suffix", ["npz", "mcap"])
def test_a_recording_is_read_by_its_signals_one_run_for_each_episode(
    tmp_path: Path, contract: Contract, suffix: str
) -> None:
    writer = create_recording(tmp_path / f"run.{suffix}", Origin(contract))
    for i in range(60):
        signals = {"joint_pos": [0.01 * i], "joint_vel": [0.5], "joint_pos_target": [0.0]}
        reading = Reading(i + 1, 0.02 * i, signals, episode_start=i % 40 == 0)
        writer.add(Tick(reading, {"shoulder": 3.0}, {"shoulder": float(i)}, 100.0), 0)
    writer.close(0)
    joint = {"pos": "joint_pos[0]", "vel": "joint_vel[0]", "command": "sent/shoulder"}
    columns = ColumnMap.parse({"joints": {"shoulder": joint}})
    assert recorded(("shoulder",), ("shoulder",)) == columns
    first, second = read_runs(tmp_path / f"run.{suffix}", columns)
    assert (first.name, len(first.time), second.name, len(second.time)) == ("run#0", 40, "run#1", 20)
    assert second.time[0] == pytest.approx(0.8)
    assert second.joint_pos[0, 0] == pytest.approx(0.4)
    assert second.command[:, 0].tolist() == list(range(40, 60)), "what was sent, not what was asked for"
