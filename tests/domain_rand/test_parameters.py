from __future__ import annotations

import pytest

from domain_rand.parameters import TABLE, Parameter, combine, same

PLACES = {
    "link": "mass inertia lateral_friction rolling_friction spinning_friction restitution contact_stiffness "
    "contact_damping linear_damping angular_damping",
    "joint": "gain strength delay dead_band torque_limit speed_limit viscous coulomb load_friction kp kd "
    "reflected_inertia backlash encoder_offset locked",
    "signal": "noise bias delay quantum dropout period",
    "world": "gravity slope_x slope_y control_jitter supply_sag push_force push_interval command_dropout",
    "base": "payload_mass payload_x payload_y payload_z",
    "goal": "heading velocity x y",
}


def test_the_table_covers_body_contact_drive_sensors_computer_load_and_goal() -> None:
    assert {(row.group, row.field) for row in TABLE.values()} == {
        (group, field) for group, fields in PLACES.items() for field in fields.split()
    }


def test_no_two_rows_name_the_same_place() -> None:
    places = {(row.group, row.field) for row in TABLE.values()}
    assert len(places) == len(TABLE)


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_a_row_allows_a_range_and_says_what_it_is(row: Parameter) -> None:
    assert row.low < row.high
    assert all((row.meaning, row.unit))


@pytest.mark.parametrize("name", ["signal_dropout", "command_dropout", "supply_sag", "joint_locked", "restitution"])
def test_a_share_stays_within_zero_and_one(name: str) -> None:
    for edge in (0.0, 1.0):
        TABLE[name].check(edge, "x")
    for beyond in (-1e-9, 1.0001):
        with pytest.raises(ValueError, match=name):
            TABLE[name].check(beyond, "x")


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
