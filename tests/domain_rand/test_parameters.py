from __future__ import annotations

import pytest

from domain_rand.parameters import TABLE, combine, same


def test_operations_start_from_nominal() -> None:
    assert combine("set", 2.0, 3.0) == 3.0
    assert combine("scale", 2.0, 3.0) == 6.0
    assert combine("add", 2.0, 3.0) == 5.0


@pytest.mark.parametrize("value", [0.0, -1.0, 1e5, float("nan"), float("inf")])
def test_a_value_outside_physics_names_target_value_and_range(value: float) -> None:
    with pytest.raises(ValueError, match=r"arm: link_mass = .* kg; valid is 0.0001 to 10000"):
        TABLE["link_mass"].check(value, "arm")


def test_read_back_may_differ_by_single_precision_only() -> None:
    assert same(0.1, 0.1 * (1 + 1e-7))
    assert not same(0.1, 0.1001)
    assert not same(0.0, 1e-6)


def test_no_two_rows_name_the_same_place() -> None:
    places = {(row.group, row.field) for row in TABLE.values()}
    assert len(places) == len(TABLE)
