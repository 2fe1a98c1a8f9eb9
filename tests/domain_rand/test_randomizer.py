from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from domain_rand.parameters import Group
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError


class FakeWorld:
    """A world that holds what it is told, times `factor`: one arm, one tool, gravity."""

    NOMINAL = {("link", "arm", "mass"): 2.0, ("link", "tool", "mass"): 0.5, ("world", "world", "gravity"): 9.81}

    def __init__(self, factor: float = 1.0) -> None:
        self.values = dict(self.NOMINAL)
        self.factor = factor

    def names(self, group: Group) -> tuple[str, ...]:
        return tuple(name for place, name, _ in self.NOMINAL if place == group)

    def nominal(self, group: Group, name: str, field: str) -> float:
        return self.NOMINAL[group, name, field]

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        self.values[group, name, field] = value * self.factor

    def read(self, group: Group, name: str, field: str) -> float:
        return self.values[group, name, field]


def uniform(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


ENTRIES: dict[str, Any] = {
    "arm_mass": {"parameter": "link_mass", "select": "arm", "op": "scale", "unit": "1", "draw": uniform(0.5, 1.5)},
    "tool_mass": {"parameter": "link_mass", "select": "tool", "unit": "kg", "draw": uniform(0.1, 0.9)},
    "gravity": {"parameter": "gravity", "op": "add", "unit": "m/s²", "draw": uniform(-0.2, 0.2)},
}


def distribution(**entries: Any) -> Randomization:
    return Randomization.parse({"parameters": entries})


ALL = distribution(**ENTRIES)


def test_the_order_in_the_file_changes_nothing() -> None:
    turned = distribution(**dict(reversed(ENTRIES.items())))
    for index in range(5):
        assert turned.draw(3, index).params == ALL.draw(3, index).params
        assert np.array_equal(turned.draw(3, index).normalized, ALL.draw(3, index).normalized)


def test_another_entry_leaves_the_draws_of_the_rest_alone() -> None:
    alone = distribution(gravity=ENTRIES["gravity"])
    assert alone.draw(3, 7).params["gravity"] == ALL.draw(3, 7).params["gravity"]


def test_many_indices_give_as_many_worlds_and_streams_share_none() -> None:
    train = [ALL.draw(0, index, "train").params["tool_mass"] for index in range(2000)]
    test = [ALL.draw(0, index, "test").params["tool_mass"] for index in range(2000)]
    assert len(set(train) | set(test)) == 4000


def test_a_fixed_value_replaces_its_draw_only() -> None:
    free, fixed = ALL.draw(0, 1), ALL.draw(0, 1, fixed={"tool_mass": 0.5})
    assert fixed.params == {**free.params, "tool_mass": 0.5}
    assert fixed.normalized[ALL.names.index("tool_mass")] == pytest.approx(0.0)


def test_an_unknown_fixed_name_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown parameter 'tool_mas'; did you mean 'tool_mass'"):
        ALL.draw(0, 0, fixed={"tool_mas": 0.5})


def test_the_context_vector_follows_the_sorted_names() -> None:
    context = ALL.context({"tool_mass": 0.9, "gravity": -0.2, "arm_mass": 1.0})
    assert ALL.names == ("arm_mass", "gravity", "tool_mass")
    # the central 99 % spans ±1, so an edge lies at 1 / 0.99
    assert context.normalized == pytest.approx([0.0, -1 / 0.99, 1 / 0.99], abs=1e-6)


def test_apply_starts_from_nominal_and_returns_what_it_read_back() -> None:
    world = FakeWorld()
    context = ALL.context({"arm_mass": 1.5, "tool_mass": 0.3, "gravity": 0.1})
    for _ in range(3):  # a repeated application must not compound
        applied = ALL.apply(context, world)
    expected = {"arm_mass/arm": 3.0, "tool_mass/tool": 0.3, "gravity/world": 9.81 + 0.1}
    assert applied == pytest.approx(expected)
    assert world.values["link", "arm", "mass"] == 3.0


def test_a_world_that_does_not_take_a_value_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"wrote 0\.3, the world holds 0\.6"):
        distribution(tool_mass=ENTRIES["tool_mass"]).apply(ALL.draw(0, 0, fixed={"tool_mass": 0.3}), FakeWorld(2.0))


def test_one_entry_may_select_many() -> None:
    every = distribution(m={"parameter": "link_mass", "op": "scale", "unit": "1", "draw": uniform(2, 2)})
    assert every.apply(every.draw(0, 0), FakeWorld()) == {"m/arm": 4.0, "m/tool": 1.0}


def test_a_selection_of_nothing_names_what_there_is() -> None:
    lost = distribution(m={**ENTRIES["tool_mass"], "select": "tol"})
    with pytest.raises(ConfigError, match=r"m: select 'tol' matches no link; did you mean 'tool'\? valid: arm, tool"):
        lost.apply(lost.draw(0, 0), FakeWorld())


def test_two_entries_for_the_same_quantity_are_refused() -> None:
    twice = distribution(a=ENTRIES["tool_mass"], b={**ENTRIES["tool_mass"], "select": "t*"})
    with pytest.raises(ConfigError, match="b: link_mass of tool is already set by a"):
        twice.apply(twice.draw(0, 0), FakeWorld())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": "g"}, r"unit 'g' for link_mass \(set\); valid: 'kg'"),
        ({"op": "scale"}, r"unit 'kg' for link_mass \(scale\); valid: '1'"),
        ({"draw": uniform(-0.5, 1)}, "link_mass = -0.5 kg; valid is 0.0001"),
        ({"draw": {"distribution": "normal", "mean": 1, "std": 1}}, "link_mass = -inf kg"),
        ({"parameter": "link_mas"}, "unknown parameter 'link_mas'; did you mean 'link_mass'"),
        ({"op": "multiply"}, "'set', 'scale' or 'add'"),
        ({"slect": "tool"}, "did you mean 'select'"),
    ],
)
def test_an_entry_that_cannot_hold_is_refused_at_load(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        distribution(tool_mass={**ENTRIES["tool_mass"], **change})


@pytest.mark.parametrize("value", [-0.1, 0.0, float("nan"), float("inf")])
def test_a_fixed_value_outside_physics_reaches_no_world(value: float) -> None:
    world = FakeWorld()
    with pytest.raises(ValueError, match=r"tool: link_mass = .*; valid is"):
        ALL.apply(ALL.draw(0, 0, fixed={"tool_mass": value}), world)
    assert world.values == FakeWorld.NOMINAL


def test_a_scale_that_leaves_physics_is_refused() -> None:
    bad = distribution(m={**ENTRIES["arm_mass"], "draw": uniform(-1, -1)})
    with pytest.raises(ValueError, match="arm: link_mass = -2 kg"):
        bad.apply(bad.draw(0, 0), FakeWorld())
