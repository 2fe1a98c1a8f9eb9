"""Every way in which a log is spoilt is found, with the row; a good one is not accused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from robots.logbook.checks import DEGREES, examine, require_sound
from robots.logbook.errors import LogError
from robots.logs import Log
from tests.robots.logbook.sine_log import ARM, sine_log


@pytest.fixture(scope="module")
def log() -> Log:
    return sine_log(noise=(0.001, 0.02))


def shuffled(log: Log) -> Log:
    time = log.time.copy()
    time[[70, 71]] = time[[71, 70]]
    return replace(log, time=time)


def in_milliseconds(log: Log) -> Log:
    return replace(log, time=1e3 * log.time)


def short(log: Log) -> Log:
    rows = slice(0, 100)
    return Log("short", log.time[rows], log.joint_pos[rows], log.joint_vel[rows], log.command[rows])


def holed(log: Log) -> Log:
    pos = log.joint_pos.copy()
    pos[[33, 90], 1] = np.nan
    return replace(log, joint_pos=pos)


def constant(log: Log) -> Log:
    return replace(log, command=np.full_like(log.command, 0.5))


def positions_in_degrees(log: Log) -> Log:
    return replace(log, joint_pos=DEGREES * log.joint_pos)


def velocities_in_degrees(log: Log) -> Log:
    return replace(log, joint_vel=DEGREES * log.joint_vel)


def all_in_degrees(log: Log) -> Log:
    return replace(log, joint_pos=DEGREES * log.joint_pos, joint_vel=DEGREES * log.joint_vel)


def backwards(log: Log) -> Log:
    return replace(log, joint_vel=-log.joint_vel)


def velocities_swapped(log: Log) -> Log:
    return replace(log, joint_vel=log.joint_vel[:, ::-1])


def torques_swapped(log: Log) -> Log:
    return replace(log, torque=log.command[:, ::-1] + 0.1)


@pytest.mark.parametrize(
    ("spoil", "row", "what", "valid"),
    [
        (shuffled, 71, r"time is 0\.35 s after 0\.355 s \(1 rows step back\)", "increasing time"),
        (in_milliseconds, 1, "rows are 5 s apart: is the time in another unit", "see 'unit' of 'time'"),
        (short, 99, r"the run ends after 0\.495 s", "at least 1 s"),
        (holed, 33, "pos of elbow is nan, and 1 more", "a number"),
        (constant, 0, r"every command stays 0\.5, 0\.5 to the end", "free: true"),
        (positions_in_degrees, None, r"moves 57\.\d times as far .* position is in degrees", "a factor of 1"),
        (velocities_in_degrees, None, r"moves 0\.017\d times as far .* velocity is in degrees", "a factor of 1"),
        (all_in_degrees, None, "times its limit: is it in degrees", "see 'unit'"),
        (backwards, None, "shoulder moves against its velocity", "one sign"),
        (velocities_swapped, 0, "the velocity of elbow follows shoulder", "their own joints"),
        (torques_swapped, 0, "the torque of elbow follows shoulder", "their own joints"),
    ],
)
def test_a_spoilt_log_is_refused_with_row_and_reason(
    log: Log, spoil: Callable[[Log], Log], row: int | None, what: str, valid: str
) -> None:
    with pytest.raises(LogError, match=what) as error:
        require_sound(spoil(log), ARM, "run.csv")
    assert (error.value.file, error.value.row is not None) == ("run.csv", True)
    assert valid in error.value.valid
    if row is not None:
        assert error.value.row == row
    assert f"row {error.value.row}: " in str(error.value)


def test_a_sound_log_is_not_accused(log: Log) -> None:
    assert require_sound(log, ARM) == []
    assert require_sound(replace(log, torque=log.command + 0.01), ARM) == []


def test_free_motion_needs_no_command(log: Log) -> None:
    silent = replace(log, command=np.zeros((len(log.time), 0)))
    assert [finding.check for finding in examine(silent, ARM)] == ["command"]
    assert require_sound(silent, replace(ARM, free=True)) == []


def test_what_does_not_spoil_a_log_is_a_warning(log: Log) -> None:
    time = log.time + 0.3 * (np.arange(len(log.time)) > 500)
    clipped = replace(log, time=time, command=3 * log.command)
    assert {(finding.check, finding.verdict) for finding in examine(clipped, ARM)} == {
        ("gaps", "warning"),
        ("saturation", "warning"),
    }
    gap = next(finding for finding in examine(clipped, ARM) if finding.check == "gaps")
    assert gap.row == 500
    frozen = replace(log, joint_pos=np.repeat(log.joint_pos[::4], 4, 0), joint_vel=np.repeat(log.joint_vel[::4], 4, 0))
    assert [finding.check for finding in examine(frozen, ARM)] == ["frozen"]
