"""Closed-loop parity: long enough, through every reset, and blind to none of the classic deployment bugs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from export.manifest import PARITY_TOLERANCE, CarryState, Parity
from export.parity import ParityError, closed_loop_parity, require_parity
from export.step_graph import StepGraph
from export.to_onnx import to_onnx
from export.verify import Trace
from robots.robot_env import RobotEnv
from tests.export.tiny_policy import Memoryless, NoNormaliser, TinyGru, servo_arm

TRIAL = 300


@pytest.fixture(scope="module")
def world() -> Iterator[RobotEnv]:
    world = RobotEnv("servo_arm", stream="verify")
    yield world
    world.close()


def run(policy: nn.Module, world: RobotEnv, exported: nn.Module | None = None, steps: int = 1) -> tuple[Parity, Trace]:
    model = to_onnx(StepGraph(exported or policy, servo_arm()[0]))
    return closed_loop_parity(policy, model, world, min_steps=steps)


def test_parity_is_long_and_crosses_every_kind_of_reset(world: RobotEnv) -> None:
    parity, _ = run(TinyGru(), world, steps=1000)
    assert (parity.steps, parity.trials, parity.episodes) == (4 * TRIAL, 4, 12)
    assert parity.max_abs_error <= PARITY_TOLERANCE
    require_parity(parity)


def test_at_least_two_trials_are_played(world: RobotEnv) -> None:
    assert run(TinyGru(), world, steps=1)[0].trials == 2


def test_the_golden_trace_holds_a_new_episode_within_a_trial(world: RobotEnv) -> None:
    _, trace = run(TinyGru(), world)
    starts = np.flatnonzero(trace["episode_start"])
    assert len(trace["action"]) == 65
    assert starts.tolist() == [0, 33]
    np.testing.assert_array_equal(trace["carry_memory"][0], np.full(16, np.float32(0.1)))
    np.testing.assert_array_equal(trace["carry_memory"][2:], trace["next_memory"][1:-1])
    assert trace["last_action"][33] == 0.0
    assert np.abs(trace["last_action"]).max() > 1.0


def test_a_graph_without_the_normaliser_fails(world: RobotEnv) -> None:
    parity, _ = run(TinyGru(), world, exported=NoNormaliser())
    assert parity.max_abs_error > 0.01
    with pytest.raises(ParityError, match="departs from the trained policy.*nothing was exported"):
        require_parity(parity)


def test_other_weights_fail(world: RobotEnv) -> None:
    with pytest.raises(ParityError):
        require_parity(run(TinyGru(0), world, exported=TinyGru(1))[0])


class Undeclared(TinyGru):
    """Reads its last action without saying so: on the robot that input would silently be zero."""

    inputs = ("obs", "episode_start")


def test_an_undeclared_input_fails(world: RobotEnv) -> None:
    assert run(Undeclared(), world)[0].max_abs_error > 0.01


class Counting(Memoryless):
    """Keeps state outside the carry."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def step(self, *args):  # type: ignore[no-untyped-def]
        self.calls += 1
        mean, carry = super().step(*args)
        return mean + 0.01 * self.calls, carry


def test_state_outside_the_carry_fails(world: RobotEnv) -> None:
    assert run(Counting(), world)[0].max_abs_error > 0.01


class Chaotic(Memoryless):
    """The logistic map at its wildest: a rounding error doubles at every step, yet each step is right."""

    carry_spec = (CarryState(name="x", shape=(1,), initial=0.3),)

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        x = 3.99 * carry[0] * (1 - carry[0])
        return torch.sin(self.net(obs) + x), (x,)


def test_a_chaotic_memory_passes_because_each_step_is_right(world: RobotEnv) -> None:
    assert run(Chaotic(), world)[0].max_abs_error <= PARITY_TOLERANCE


class Exploding(Memoryless):
    """Its memory overflows, in torch and in the graph alike."""

    carry_spec = (CarryState(name="x", shape=(1,), initial=1.0),)

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        return self.net(obs), (carry[0] * 10,)


def test_agreeing_on_infinity_is_no_parity(world: RobotEnv) -> None:
    with pytest.raises(ParityError):
        require_parity(run(Exploding(), world)[0])


def test_one_transition_more_or_less_cannot_hide(world: RobotEnv) -> None:
    """Equal keys replay: two runs of the same policy give the same trace, bit for bit."""
    (_, first), (_, second) = run(TinyGru(), world), run(TinyGru(), world)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
