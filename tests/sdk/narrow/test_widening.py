"""Ranges that end where a policy that has adapted no longer copes."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.curriculum import Adr, AdrSettings, Boundary, Range, Ranges
from domain_rand.distributions import Choice
from domain_rand.randomizer import Randomization
from sdk.narrow.widening import after_adaptation, judged, on_boundary, ranged
from tests.domain_rand.narrowing.linear_world import uniform_prior

WORLDS = uniform_prior(a=(1.0, 3.0), b=(2.0, 6.0)).randomization
MIDDLE = Ranges(ranges={name: Range(nominal=0.5, low=0.5, high=0.5) for name in ("a", "b")})
STEP, THRESHOLD = 0.05, 0.6


def curriculum(queue: int = 3) -> Adr:
    settings = AdrSettings(threshold_low=THRESHOLD - 0.05, threshold_high=THRESHOLD, queue=queue, step=STEP)
    return Adr(WORLDS, settings, MIDDLE)


def value(worlds: Randomization, name: str) -> float:
    draw = worlds.parameters[name].draw
    assert isinstance(draw, Choice)
    return draw.values[0]


def test_worlds_lie_within_the_ranges_and_one_parameter_on_its_end() -> None:
    state = Ranges(ranges={"a": Range(nominal=0.5, low=0.25, high=0.5), "b": Range(nominal=0.5, low=0.5, high=0.5)})
    assert ranged(WORLDS, state).parameters["a"].draw.support == (1.5, 2.0)
    assert value(ranged(WORLDS, state), "b") == 4.0
    assert value(on_boundary(WORLDS, state, Boundary("a", "low")), "a") == 1.5
    assert value(on_boundary(WORLDS, state, Boundary("a", "high")), "a") == 2.0


def test_ranges_grow_to_where_the_return_after_adaptation_crosses_the_threshold() -> None:
    def play(boundary: Boundary, worlds: Randomization) -> list[float]:
        """Return 1 − |a − 2| once adapted; nothing before; b does not matter."""
        last = 1 - abs(value(worlds, "a") - 2.0) if boundary.name == "a" else 1.0
        return after_adaptation(np.array([[0.0, 0.0, last]] * 3))

    adr = curriculum()
    for _ in range(15):
        adr = judged(adr, play)
    low, high = ranged(WORLDS, adr.state).parameters["a"].draw.support
    assert (low, high) == (pytest.approx(1.6, abs=2 * STEP + 1e-9), pytest.approx(2.4, abs=2 * STEP + 1e-9))
    assert ranged(WORLDS, adr.state).parameters["b"].draw.support == (2.0, 6.0)


def test_what_finding_out_costs_is_not_held_against_a_policy() -> None:
    returns = np.array([[-5.0, 0.2, 0.9], [-5.0, 0.1, 0.7]])
    assert after_adaptation(returns) == [0.9, 0.7]
    adapted = judged(curriculum(2), lambda boundary, worlds: after_adaptation(returns))
    averaged = judged(curriculum(2), lambda boundary, worlds: returns.mean(1).tolist())
    assert adapted.state.ranges["a"].high == pytest.approx(0.5 + STEP)
    assert averaged.state.ranges["a"].high == 0.5
