from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from domain_rand.curriculum import Adr, AdrSettings, Boundary, Range, Ranges, entropy, start
from domain_rand.plain import sample
from domain_rand.schema import ConfigError
from tests.domain_rand.fake_world import TableWorld, randomization, uniform

TILT = {"parameter": "slope_x", "op": "add", "unit": "rad", "draw": uniform(-1.0, 1.0)}
WORLDS = randomization(
    x=TILT, y={**TILT, "parameter": "slope_y"}, g={**TILT, "parameter": "gravity", "unit": "m/s²", "when": "episode"}
)
SETTINGS = AdrSettings(threshold_low=0.3, threshold_high=0.5, queue=4, step=0.02)


def fresh(**changes: Any) -> Adr:
    return Adr(WORLDS, SETTINGS.model_copy(update=changes), start(WORLDS, TableWorld()))


def train(adr: Adr, c: float, worlds: int, offset: int = 0) -> Adr:
    """Run the curriculum with a policy whose return at a boundary φ is 1 − |φ|/c, whatever else is drawn."""
    for index in range(offset, offset + worlds):
        if probed := adr.boundary(0, index):
            phi = sample(adr, 0, index).params[probed.name]
            adr = adr.recorded(probed, 1 - abs(phi) / c)
    return adr


def test_it_starts_at_nominal() -> None:
    adr = fresh()
    assert set(adr.state.ranges) == {"x", "y"}
    assert {sample(adr, 0, index).params["x"] for index in range(20)} == {0.0}


def test_boundaries_stop_where_the_return_crosses_the_threshold() -> None:
    # 1 − |φ|/0.8 = 0.5 at φ* = 0.4; a step of 0.02 in quantiles of [−1, 1] is 0.04
    adr = train(fresh(), 0.8, 2000)
    for bounds in adr.state.ranges.values():
        low, high = 2 * bounds.low - 1, 2 * bounds.high - 1
        assert 0.4 <= high <= 0.44 + 1e-9
        assert -0.44 - 1e-9 <= low <= -0.4
    assert train(adr, 0.8, 1000, 2000).state.ranges["x"].high == adr.state.ranges["x"].high


def test_boundaries_come_back_when_the_policy_gets_worse() -> None:
    # 1 − |φ|/0.4 = 0.3 at φ = 0.28: narrowing ends at the first step inside
    adr = train(train(fresh(), 0.8, 2000), 0.4, 1000, 2000)
    for bounds in adr.state.ranges.values():
        assert 0.24 - 1e-9 <= 2 * bounds.high - 1 <= 0.28
        assert -0.28 <= 2 * bounds.low - 1 <= -0.24 + 1e-9


def test_a_policy_that_copes_reaches_the_full_range_and_no_further() -> None:
    adr = train(fresh(), 100.0, 2000)
    assert [(r.low, r.high) for r in adr.state.ranges.values()] == [(0.0, 1.0)] * 2
    assert entropy(adr.state) == 0.0
    values = [sample(adr, 1, index).params["x"] for index in range(500)]
    assert (min(values), max(values)) == (-1.0, 1.0)


def test_a_policy_that_fails_stays_at_nominal() -> None:
    adr = train(fresh(threshold_low=2.0, threshold_high=3.0), 1.0, 500)
    assert all((r.low, r.high) == (0.5, 0.5) for r in adr.state.ranges.values())


@pytest.mark.parametrize(("mean", "moved"), [(0.5, 0.62), (0.4, 0.6), (0.3, 0.58)])
def test_one_full_queue_moves_one_boundary_one_step(mean: float, moved: float) -> None:
    bounds = Range(nominal=0.5, low=0.5, high=0.6)
    spread = (-0.2, 0.2, -0.1, 0.1)
    for i, deviation in enumerate(spread):
        assert (bounds.high, len(bounds.high_queue)) == (0.6, i)
        bounds = bounds.recorded("high", mean + deviation, SETTINGS)
    assert bounds.high == pytest.approx(moved)
    assert (bounds.high_queue, bounds.low) == ((), 0.5)


def test_each_side_has_its_own_queue() -> None:
    adr = fresh()
    for side in ("low", "high"):
        adr = adr.recorded(Boundary("x", side), 1.0)  # type: ignore[arg-type]
    assert (adr.state.ranges["x"].low_queue, adr.state.ranges["x"].high_queue) == ((1.0,), (1.0,))
    assert adr.state.ranges["y"] == fresh().state.ranges["y"]
    assert adr.recorded(None, 0.0) is adr


def test_worlds_probe_as_often_as_asked_and_every_boundary_alike() -> None:
    adr = fresh(probability=0.4)
    probes = [adr.boundary(0, index) for index in range(5000)]
    assert sum(probe is not None for probe in probes) / 5000 == pytest.approx(0.4, abs=0.028)
    for name in ("x", "y"):
        for side in ("low", "high"):
            assert probes.count(Boundary(name, side)) / 5000 == pytest.approx(0.1, abs=0.017)  # type: ignore[arg-type]


def test_a_probe_sits_on_its_boundary_and_the_rest_lies_within() -> None:
    state = Ranges(ranges={name: Range(nominal=0.5, low=0.4, high=0.8) for name in ("x", "y")})
    adr = Adr(WORLDS, SETTINGS, state)
    for index in range(200):
        places = adr.uniforms(0, index)
        assert all(0.4 <= place <= 0.8 for place in places.values())
        probed = adr.boundary(0, index)
        edges = {name for name, place in places.items() if place in (0.4, 0.8)}
        assert edges == ({probed.name} if probed else set())
        if probed:
            assert places[probed.name] == {"low": 0.4, "high": 0.8}[probed.side]


def test_within_its_range_a_parameter_is_uniform() -> None:
    state = Ranges(ranges={name: Range(nominal=0.5, low=0.4, high=0.8) for name in ("x", "y")})
    adr = Adr(WORLDS, SETTINGS, state)
    inside = [adr.uniforms(0, i)["x"] for i in range(4000) if adr.boundary(0, i) is None]
    assert np.mean(inside) == pytest.approx(0.6, abs=0.011)
    assert np.std(inside) == pytest.approx(0.4 / math.sqrt(12), rel=0.05)


def test_entropy_is_the_mean_log_width() -> None:
    widths = {"x": Range(nominal=0.5, low=0.25, high=0.75), "y": Range(nominal=0.5, low=0.5, high=1.0)}
    assert entropy(Ranges(ranges=widths)) == pytest.approx(-math.log(2))
    assert entropy(fresh().state) == pytest.approx(math.log(1e-3))


def test_the_state_survives_a_checkpoint_in_the_middle_of_a_queue() -> None:
    half = train(fresh(), 0.8, 137)
    assert any(r.high_queue for r in half.state.ranges.values())
    again = Adr(WORLDS, half.settings, Ranges.parse(json.loads(json.dumps(half.state.plain()))))
    assert again == half
    assert train(again, 0.8, 300, 137) == train(fresh(), 0.8, 437)


def test_the_order_of_parameters_changes_nothing() -> None:
    state = fresh().state
    turned = Adr(WORLDS, SETTINGS, Ranges(ranges=dict(reversed(state.ranges.items()))))
    assert [turned.boundary(0, i) for i in range(50)] == [fresh().boundary(0, i) for i in range(50)]


def test_a_range_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="range for 'g', which is not drawn per task"):
        Adr(WORLDS, SETTINGS, Ranges(ranges={"g": Range(nominal=0, low=0, high=1)}))


def test_a_performance_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="performance on high of x is nan"):
        fresh().recorded(Boundary("x", "high"), float("nan"))


def test_thresholds_must_be_in_order() -> None:
    with pytest.raises(ConfigError, match="threshold_low 2.0 is above threshold_high 1.0"):
        AdrSettings.parse({"threshold_low": 2, "threshold_high": 1})
