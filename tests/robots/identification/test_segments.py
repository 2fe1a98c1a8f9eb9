"""Segments are cut where a log is whole, and commands act as late as a delay says, whole steps or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robots.identification.segments import Run, cut, mean_commands, thawed
from robots.logbook.errors import LogError
from tests.robots.logbook.sine_log import sine_log

DT = 0.005


def test_segments_hold_the_measured_start_and_what_came_of_it() -> None:
    log = sine_log(4.0)
    found = cut([Run(log)], 0.3, DT)
    assert found.after == pytest.approx([0.1, 0.2, 0.3])
    assert found.began == pytest.approx(log.joint_pos[found.rows[0]])
    assert found.measured[2, 1] == pytest.approx(log.joint_pos[found.rows[0][2] + 40])
    assert found.target.shape == found.stillness.shape == (len(found.rows[0]), 6)
    assert found.stillness[0].tolist() == [*found.began[0]] * 3


def test_no_reading_is_part_of_two_segments() -> None:
    """A segment's end is read between its two neighbouring rows; the next one begins behind them."""
    log = sine_log(4.0)
    found = cut([Run(log)], 0.3, DT)
    ends = log.time[found.rows[0]] + found.after[-1]
    assert (log.time[found.rows[0][1:]] > ends[:-1] + 0.99 * DT).all()
    assert len(found.rows[0]) == int((4.0 - 0.1 - 0.3) / (0.3 + 2 * DT)) + 1


def test_a_budget_is_spread_over_all_runs() -> None:
    found = cut([Run(sine_log(4.0)), Run(sine_log(6.0))], 0.3, DT, most=10)
    assert [len(rows) for rows in found.rows] == [4, 6]


def test_no_segment_crosses_a_gap() -> None:
    log = sine_log(4.0)
    late = replace(log, time=log.time + 0.2 * (np.arange(len(log.time)) > 400))
    begins = late.time[cut([Run(late)], 0.3, DT).rows[0]]
    assert not ((begins <= late.time[400]) & (late.time[400] < begins + 0.3)).any()
    holes = replace(log, time=log.time + 0.2 * np.floor(np.arange(len(log.time)) / 40))
    with pytest.raises(LogError, match=r"no 0\.3 s without a gap"):
        cut([Run(holes)], 0.3, DT)


def test_late_commands_are_exact_for_whole_steps_and_continuous_between() -> None:
    log = sine_log(4.0)
    times = log.time[100:110]
    assert mean_commands(log, times, DT) == pytest.approx(log.command[100:110])
    assert mean_commands(log, times - 0.02, DT) == pytest.approx(log.command[96:106])
    half = mean_commands(log, times - 0.5 * DT, DT)
    assert half == pytest.approx(0.5 * (log.command[99:109] + log.command[100:110]))
    assert mean_commands(log, np.array([-1.0]), DT) == pytest.approx(log.command[:1])


def test_repeated_readings_are_filled_in() -> None:
    log = sine_log(4.0)
    last = np.arange(len(log.time))
    last[[50, 51, 90]] = [49, 49, 89]
    frozen = replace(log, joint_pos=log.joint_pos[last], joint_vel=log.joint_vel[last])
    assert np.abs(frozen.joint_pos - log.joint_pos).max() > 5e-3
    assert thawed(frozen).joint_pos == pytest.approx(log.joint_pos, abs=2e-3)
    assert thawed(log) is log
