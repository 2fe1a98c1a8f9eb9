from __future__ import annotations

from math import hypot

import numpy as np
import pytest

from robots.disturbances import PUSH_TIME, Disturbances

DT, STEPS = 0.005, 4


def disturbed(seed: int = 0, **quantities: float) -> Disturbances:
    made = Disturbances(DT, STEPS)
    for name, value in quantities.items():
        setattr(made.world, name, value)
    made.start(np.random.default_rng(np.random.SeedSequence(seed)))
    return made


def test_nothing_is_on_at_nominal_and_sensors_draw_the_same_with_and_without() -> None:
    assert not disturbed().active
    draws = []
    for jitter in (0.0, 0.01):
        made, rng = Disturbances(DT, STEPS), np.random.default_rng(3)
        made.world.control_jitter = jitter
        made.start(rng)
        draws.append(rng.random(5).tolist())
    assert draws[0] == draws[1]


def test_a_push_without_interval_and_an_interval_without_push_are_none() -> None:
    assert not disturbed(push_force=10.0, push_interval=0.0).active
    assert not disturbed(push_interval=1.0).active


def test_control_periods_vary_with_the_standard_deviation_asked_for() -> None:
    made = disturbed(control_jitter=2 * DT)
    steps = np.array([made.steps() for _ in range(4000)])
    assert steps.min() == 1
    assert 1.7 < steps.std() < 2.1  # cut at one step
    assert disturbed(command_dropout=0.5).steps() == STEPS


def test_commands_are_lost_as_often_as_asked_for() -> None:
    made = disturbed(command_dropout=0.3)
    assert np.mean([made.loses_command() for _ in range(4000)]) == pytest.approx(0.3, abs=0.03)
    assert not disturbed(control_jitter=0.01).loses_command()


def test_pushes_have_their_size_length_and_mean_interval() -> None:
    made = disturbed(push_force=50.0, push_interval=0.5)
    forces = [made.push(step * DT) for step in range(20_000)]
    pushed = np.array([force is not None for force in forces])
    assert all(hypot(*force) == pytest.approx(50.0) and force[2] == 0 for force in forces if force is not None)
    starts = np.flatnonzero(pushed[1:] & ~pushed[:-1])
    assert pushed.sum() / len(starts) * DT == pytest.approx(PUSH_TIME, rel=0.05)
    assert np.diff(starts).mean() * DT == pytest.approx(0.5 + PUSH_TIME, rel=0.1)
    headings = {round(force[0], 3) for force in forces if force is not None}
    assert len(headings) > 50


def test_equal_generators_give_equal_disturbances() -> None:
    pair = [disturbed(seed=5, push_force=50.0, push_interval=0.5) for _ in range(2)]
    first, second = [[made.push(step * DT) for step in range(500)] for made in pair]
    assert first == second
    other = disturbed(seed=6, push_force=50.0, push_interval=0.5)
    assert [other.push(step * DT) for step in range(500)] != first


def test_a_disturbance_may_begin_within_an_episode() -> None:
    made = disturbed()
    made.world.command_dropout = 1.0
    made.refresh()
    assert made.active
    assert made.loses_command()
