from __future__ import annotations

from typing import Any

import pytest

from domain_rand.entries import Entry
from domain_rand.schema import ConfigError
from tests.domain_rand.fake_world import NAMES, TableWorld, randomization, scale, uniform

WEAKENING = scale("motor_strength", 0.4, 0.8, when="interval", every=[1.0, 2.0], start=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"when": "always"}, "'once', 'task', 'episode' or 'interval'"),
        ({"when": "interval"}, r"needs 'every: \[low, high\]' in seconds"),
        ({"every": [1, 2]}, "'every' and 'start' belong to 'when: interval', not to 'when: task'"),
        ({"when": "episode", "start": 1}, "'every' and 'start' belong to 'when: interval', not to 'when: episode'"),
        ({"when": "interval", "every": [2, 1]}, "every: 2.0 s is above 1.0 s"),
        ({"when": "interval", "every": [0, 1]}, "greater than 0"),
    ],
)
def test_a_schedule_that_cannot_hold_is_refused_at_load(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Entry.parse(scale("motor_strength", **change))


def test_a_start_outside_physics_is_refused_at_load() -> None:
    entry = {"parameter": "payload_mass", "unit": "kg", "draw": uniform(0, 2), "when": "interval", "every": [1, 1]}
    with pytest.raises(ConfigError, match="range: payload_mass = -1 kg"):
        Entry.parse({**entry, "start": -1})


def test_each_draws_for_every_selected_name_of_its_own() -> None:
    bound = randomization(strength=scale("motor_strength", select="hip_*", each=True)).bind(TableWorld())
    assert bound.names == ("strength/hip_l", "strength/hip_r")
    left, right = bound.draw(0, 0).params.values()
    assert left != right
    world = TableWorld()
    assert bound.apply(bound.draw(0, 0), world) == {"strength/hip_l": left, "strength/hip_r": right}
    assert world.read("joint", "hip_l", "strength") == left
    assert world.read("joint", "hip_r", "strength") == right
    assert world.read("joint", "knee_l", "strength") == 1.0


def test_without_each_one_draw_is_shared() -> None:
    shared = randomization(strength=scale("motor_strength"))
    assert shared.bind(TableWorld()) is shared
    assert len(set(shared.apply(shared.draw(0, 0), TableWorld()).values())) == 1


def test_each_draws_nothing_before_it_knows_the_names() -> None:
    with pytest.raises(ConfigError, match=r"strength: 'each' needs the robot's names; call bind"):
        randomization(strength=scale("motor_strength", each=True)).draw(0, 0)


def test_each_takes_names_literally() -> None:
    names = {**dict.fromkeys(NAMES, ()), "joint": ("leg[1]", "leg1", "leg*")}
    world = TableWorld(names)
    bound = randomization(s=scale("motor_strength", each=True)).bind(world)
    assert bound.apply(bound.draw(0, 0), world) == bound.draw(0, 0).params


def test_each_of_nothing_names_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"s: select 'hop_\*' matches no joint; did you mean"):
        randomization(s=scale("motor_strength", select="hop_*", each=True)).bind(TableWorld())


def test_a_name_that_each_would_give_twice_is_refused() -> None:
    twice = {"s": scale("motor_strength", each=True), "s/hip_l": scale("motor_kp", select="hip_l")}
    with pytest.raises(ConfigError, match="name that 'each' gives to another"):
        randomization(**twice).bind(TableWorld())


def test_binding_twice_changes_nothing_and_keeps_schedules() -> None:
    bound = randomization(s={**WEAKENING, "each": True}).bind(TableWorld())
    assert bound.bind(TableWorld()) is bound
    assert bound.parameters["s/hip_l"].every == (1.0, 2.0)
