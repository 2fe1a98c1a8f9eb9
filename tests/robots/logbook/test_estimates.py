"""Delay, noise and step of readings are recovered where they were put in."""

from __future__ import annotations

import numpy as np
import pytest

from robots.logbook.estimates import noise_sd, quantum, response_lag
from robots.logbook.split import part, split
from robots.logbook.telling import DISTINCT, tells
from robots.logs import Log
from tests.robots.logbook.sine_log import ARM, sine_log


@pytest.mark.parametrize("lag", [0.0, 0.02, 0.05])
def test_a_delay_is_seen_in_the_response(lag: float) -> None:
    log = sine_log(lag=lag, noise=(0.001, 0.02))
    for joint in (0, 1):
        found, distinct = response_lag(log, joint)
        assert found == pytest.approx(lag, abs=0.005)
        assert distinct > DISTINCT


def test_a_command_that_does_nothing_has_no_delay() -> None:
    log = sine_log(noise=(0.001, 0.02))
    unrelated = np.random.default_rng(1).standard_normal(log.command.shape)
    assert response_lag(Log("other", log.time, log.joint_pos, log.joint_vel, unrelated), 0)[1] < DISTINCT


def test_noise_is_told_from_motion() -> None:
    log = sine_log(noise=(0.003, 0.1))
    assert noise_sd(log.joint_pos) == pytest.approx([0.003, 0.003], rel=0.15)
    assert noise_sd(log.joint_vel) == pytest.approx([0.1, 0.1], rel=0.15)
    assert noise_sd(sine_log().joint_pos).max() < 1e-4


def test_the_step_of_an_encoder_is_recovered() -> None:
    pos = sine_log().joint_pos[:, 0]
    assert quantum(np.round(pos / 0.01) * 0.01) == pytest.approx(0.01)
    assert quantum(pos) == 0.0


def test_few_runs_are_cut_and_of_many_some_are_kept() -> None:
    log = sine_log()
    train, validation = split([log, log])
    assert [len(run.time) for run in train + validation] == [900, 900, 300, 300]
    assert train[0].time[-1] < validation[0].time[0]
    train, validation = split([Log(str(i), log.time, log.joint_pos, log.joint_vel, log.command) for i in range(8)])
    assert [run.name for run in validation] == ["3", "7"]
    assert len(train) == 6
    short = [part(log, slice(0, 400), name) for name in ("a", "b", "c")]  # 2 s each: their ends are no runs
    train, validation = split(short)
    assert [run.name[-1] for run in train] == ["a", "b"]
    assert [run.name[-1] for run in validation] == ["c"]


def test_what_a_log_cannot_tell_is_said() -> None:
    log = sine_log()
    still = Log("still", log.time, 0.0 * log.joint_pos, 0.0 * log.joint_vel, log.command * [1.0, 0.0])
    text = " ".join(tells(still, ARM, {"shoulder": (0.0, 0.0)}))
    assert "it hardly moves, so its friction and inertia cannot be told" in text
    assert "elbow is never commanded: its motor's gain, limit and delay cannot be told" in text
    assert "matters too little, for its delay to be seen" in text
    assert "what happens there cannot be told" in text
    assert "looks the same as its inverse on all masses" in text
    moving = " ".join(tells(log, ARM, {"shoulder": (0.02, 0.8), "elbow": (0.02, 0.8)}))
    assert "dry and viscous friction can be told apart" in moving
    assert "acts about 20 ms late" in moving
