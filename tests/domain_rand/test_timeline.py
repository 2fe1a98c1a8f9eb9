from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from domain_rand.randomizer import Change
from domain_rand.schema import ConfigError
from tests.domain_rand.fake_world import TableWorld, randomization, scale, uniform


def drop(every: list[float], **more: Any) -> dict[str, Any]:
    entry = {"parameter": "payload_mass", "unit": "kg", "draw": uniform(0, 5), "when": "interval", "every": every}
    return {**entry, **more}


MODES = randomization(
    made=scale("motor_kp", when="once"),
    world=scale("link_mass"),
    episode=scale("gravity", when="episode"),
    payload=drop([0.5, 1.5]),
)


def test_each_mode_changes_as_often_as_it_says() -> None:
    cells = [(world, episode) for world in range(3) for episode in range(4)]
    seen = {name: {MODES.draw_episode(0, *cell).params[name] for cell in cells} for name in MODES.names}
    assert {name: len(values) for name, values in seen.items()} == {"made": 1, "world": 3, "episode": 12, "payload": 12}


def test_other_streams_and_seeds_are_made_differently_once() -> None:
    values = {MODES.draw(seed, 0, stream).params["made"] for seed in (0, 1) for stream in ("train", "test")}
    assert len(values) == 4


def test_a_draw_is_the_world_at_the_start_of_its_first_episode() -> None:
    assert MODES.draw(5, 2).params == MODES.draw_episode(5, 2, 0).params
    assert MODES.episodic == ("episode", "payload")


def test_a_mode_leaves_the_values_of_the_others_alone() -> None:
    calm = randomization(world=scale("link_mass"))
    assert calm.draw(5, 2).params["world"] == MODES.draw(5, 2).params["world"]


def test_changes_come_in_order_within_the_horizon_at_the_stated_distance() -> None:
    for episode in range(20):
        changes = MODES.changes(0, 1, episode, 10.0)
        times = [0.0, *(change.time for change in changes)]
        gaps = np.diff(times)
        assert np.all((gaps >= 0.5) & (gaps <= 1.5))
        assert times[-1] < 10.0 <= times[-1] + 1.5
        assert all(set(change.values) == {"payload"} for change in changes)
        assert len({change.values["payload"] for change in changes}) == len(changes)


def test_gaps_and_values_of_changes_are_uniform_and_independent() -> None:
    changes = [MODES.changes(0, world, 0, 1000.0) for world in range(5)]
    gaps = np.concatenate([np.diff([change.time for change in each]) for each in changes])
    values = np.array([change.values["payload"] for each in changes for change in each])
    assert len(values) > 4800
    assert gaps.mean() == pytest.approx(1.0, abs=0.017)  # four standard errors of 1/√12/√4900
    assert values.mean() == pytest.approx(2.5, abs=0.083)
    assert gaps.std() == pytest.approx(1 / np.sqrt(12), rel=0.05)
    after = np.array([change.values["payload"] for each in changes for change in each[1:]])
    assert abs(np.corrcoef(gaps, after)[0, 1]) < 0.06


def test_changes_depend_on_their_key_alone() -> None:
    first = MODES.changes(0, 1, 2, 4.0)
    assert MODES.changes(0, 1, 2, 40.0)[: len(first)] == first
    keys = [(1, 1, 2, "train"), (0, 2, 2, "train"), (0, 1, 3, "train"), (0, 1, 2, "test")]
    others = [MODES.changes(seed, world, episode, 4.0, stream) for seed, world, episode, stream in keys]
    assert all(other != first for other in others)


def test_a_fixed_schedule_changes_on_time_and_together() -> None:
    both = randomization(payload=drop([2, 2]), weaker=scale("motor_strength", when="interval", every=[2, 2]))
    changes = both.changes(0, 0, 0, 6.0)
    assert [change.time for change in changes] == [2.0, 4.0]  # 6.0 is the end, not in it
    assert all(set(change.values) == {"payload", "weaker"} for change in changes)


def test_the_start_holds_until_the_first_change() -> None:
    late = randomization(payload=drop([1, 2], start=3.0))
    assert {late.draw_episode(0, 0, episode).params["payload"] for episode in range(5)} == {3.0}
    assert late.changes(0, 0, 0, 3.0)[0].values["payload"] != 3.0


def test_a_fixed_value_never_changes() -> None:
    assert MODES.changes(0, 1, 0, 10.0, fixed={"payload": 1.0}) == []
    assert MODES.draw_episode(0, 1, 3, fixed={"payload": 1.0}).params["payload"] == 1.0
    with pytest.raises(ConfigError, match="did you mean 'payload'"):
        MODES.changes(0, 1, 0, 10.0, fixed={"paylod": 1.0})


def test_a_change_moves_the_context_and_the_world_only_where_it_says() -> None:
    world, before = TableWorld(), MODES.draw(0, 1)
    MODES.apply(before, world)
    held = dict(world.values)
    change = Change(1.0, {"payload": 4.0})
    after = MODES.changed(before, change.values)
    assert MODES.apply(after, world, only=change.values) == {"payload/base": 4.0}
    assert {place for place in held if world.values[place] != held[place]} == {("base", "base", "payload_mass")}
    assert after.params == {**before.params, "payload": 4.0}
    moved = [name for i, name in enumerate(MODES.names) if after.normalized[i] != before.normalized[i]]
    assert moved == ["payload"]
