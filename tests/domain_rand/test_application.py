from __future__ import annotations

import time

import pytest

from domain_rand.application import restore
from domain_rand.parameters import TABLE
from domain_rand.randomizer import Randomization
from tests.domain_rand.fake_world import NAMES, TableWorld, randomization, scale, whole_table

WHOLE = whole_table()


def test_ten_thousand_worlds_later_nominal_is_bit_identical() -> None:
    names = {**NAMES, "link": ("leg",), "joint": ("hip",), "signal": ("pos",)}
    world = TableWorld(names)
    before = dict(world.values)
    for index in range(10_000):
        WHOLE.apply(WHOLE.draw(0, index), world)
    assert world.values != before
    nominal = WHOLE.context(dict.fromkeys(WHOLE.names, 1.0))
    WHOLE.apply(nominal, world)
    assert world.values == before


def test_what_is_restored_is_nominal_to_the_bit_and_the_rest_stays() -> None:
    world = TableWorld()
    before = dict(world.values)
    applied = WHOLE.apply(WHOLE.context(dict.fromkeys(WHOLE.names, 0.625)), world)
    changed = dict(world.values)
    first = WHOLE.names[0]
    restore(WHOLE.parameters, [first], world)
    back = {place for place, value in world.values.items() if value != changed[place]}
    assert 0 < len(back) < len(applied)
    assert all(world.values[place] == before[place] for place in back)
    restore(WHOLE.parameters, WHOLE.names, world)
    assert world.values == before


def test_every_row_of_the_table_reaches_the_world() -> None:
    world = TableWorld()
    applied = WHOLE.apply(WHOLE.context(dict.fromkeys(WHOLE.names, 0.625)), world)
    assert set(world.values.values()) == {0.625, 0.0625}  # of 1, and of the largest control jitter
    assert len(applied) == len(world.values)


def test_the_order_of_entries_changes_neither_draw_nor_world() -> None:
    plain = WHOLE.plain()
    turned = Randomization.parse({**plain, "parameters": dict(reversed(plain["parameters"].items()))})
    worlds = TableWorld(), TableWorld()
    for each, world in zip((WHOLE, turned), worlds, strict=True):
        each.apply(each.draw(0, 4), world)
    assert worlds[0].values == worlds[1].values


def test_a_value_outside_physics_leaves_the_whole_world_alone() -> None:
    world = TableWorld()
    with pytest.raises(ValueError, match="restitution = 1.2"):
        WHOLE.apply(WHOLE.draw(0, 0, fixed={"restitution": 1.2}), world)
    assert world.values == TableWorld().values


def test_a_read_back_names_entry_and_target_once() -> None:
    shared, each = randomization(s=scale("motor_strength")), randomization(s=scale("motor_strength", each=True))
    bound = each.bind(TableWorld())
    assert set(shared.apply(shared.draw(0, 0), TableWorld())) == set(bound.apply(bound.draw(0, 0), TableWorld()))


def test_drawing_the_table_is_a_small_part_of_a_reset() -> None:
    """Generous by a factor of ten against a busy machine; a quadratic draw or a lost cache exceeds it."""

    def seconds() -> float:
        begin = time.perf_counter()
        WHOLE.draw(0, 1)
        return time.perf_counter() - begin

    assert len(TABLE) >= 35
    assert min(seconds() for _ in range(50)) < 1.5e-3
