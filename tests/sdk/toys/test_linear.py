"""The linear toy, beside the costs that Riccati's equation gives."""

from __future__ import annotations

import numpy as np
import pytest

from sdk.offdynamics.exact.lq import LinearQuadratic
from sdk.toys.base import make_toy
from sdk.toys.linear import REACH, LinearTrials
from sdk.toys.references.base import known
from sdk.toys.references.linear import Regulator, regulators


def test_a_step_is_that_of_the_system() -> None:
    worlds = make_toy("linear", {"lost": 1.0}, size=20_000, seed=0)
    before, _ = worlds.begin(range(20_000))
    step = worlds.step(np.tile([0.4, -0.2], (20_000, 1)))
    system, command = LinearQuadratic().weakened(1.0), REACH * np.array([0.4, -0.2])
    noise = step.obs - (before @ system.A.T + command @ system.B.T)
    assert noise.mean(0) == pytest.approx([0, 0], abs=0.002)
    assert noise.std(0) == pytest.approx([system.noise] * 2, rel=0.03)
    assert step.reward[0] == pytest.approx(-(before[0] @ system.Q @ before[0] + command @ system.R @ command), rel=1e-5)


@pytest.mark.parametrize("lost", [0.0, 0.5, 1.0])
def test_regulators_cost_in_the_long_run_what_riccati_says(lost: float) -> None:
    worlds = make_toy("linear", {"lost": lost}, size=4000, seed=0)
    assert isinstance(worlds, LinearTrials)
    player = Regulator(regulators(lost)["oracle"])
    obs, _ = worlds.begin(range(4000))
    rewards = []
    for _ in range(worlds.trial_steps):
        step = worlds.step(player.act(obs, episode_start=False))
        obs = step.obs
        rewards.append(step.reward.mean())
    system = LinearQuadratic().weakened(lost)
    assert np.mean(rewards[-8:]) == pytest.approx(-system.cost(system.best()), rel=0.08)


def test_what_is_trained_with_both_actuators_is_dear_without_one() -> None:
    dead, half = (known("linear", {"lost": lost}, tasks=1000) for lost in (1.0, 0.5))
    assert dead["source"].total < 1.2 * dead["oracle"].total
    assert dead["corrected"].total == pytest.approx(dead["oracle"].total, rel=0.05)
    assert half["corrected"].total < half["source"].total, "a half-lost actuator is better used than avoided"
