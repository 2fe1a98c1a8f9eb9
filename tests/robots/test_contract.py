from __future__ import annotations

from typing import Any

import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract

TWO_JOINTS: dict[str, Any] = {
    "robot": "two",
    "control_dt": 0.02,
    "joints": [
        {"name": "a", "default_pos": 0.1, "pos_limit": [-1, 1], "vel_limit": 5, "torque_limit": 10},
        {"name": "b", "default_pos": 0.0, "pos_limit": [-2, 2], "vel_limit": 6, "torque_limit": 3},
    ],
    "signals": [
        {"name": "joint_pos", "size": 2, "unit": "rad"},
        {"name": "joint_vel", "size": 2, "unit": "rad/s"},
        {"name": "load", "size": 1, "unit": "N"},
    ],
    "action": {"scale": [4, 5], "offset": [1, 0], "rate_limit": [100, 50]},
}


def changed(path: tuple[Any, ...], value: Any, data: Any = None) -> Any:
    """A deep copy of the two-joint contract's data with the value at `path` replaced."""
    data = TWO_JOINTS if data is None else data
    if not path:
        return value
    key, *rest = path
    if isinstance(data, list):
        return [changed(tuple(rest), value, item) if i == key else item for i, item in enumerate(data)]
    return {**data, key: changed(tuple(rest), value, data.get(key, {}))}


def test_limits_are_the_policy_s_range_cut_to_the_motor() -> None:
    contract = Contract.parse(TWO_JOINTS)
    assert contract.command_limits == ((-3, 5), (-3, 3))
    assert contract.max_command_change == pytest.approx((2.0, 1.0))


def test_signals_have_their_place_in_the_observation() -> None:
    contract = Contract.parse(TWO_JOINTS)
    assert contract.obs_size == 5
    assert contract.signal_slices == {"joint_pos": slice(0, 2), "joint_vel": slice(2, 4), "load": slice(4, 5)}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("action", "scale"), [4], "action.scale has 1 entries for 2 joints"),
        (("action", "scale"), [], "action.scale has 0 entries for 2 joints"),
        (("action", "offset"), [1, 0, 0], "action.offset has 3 entries for 2 joints"),
        (("action", "rate_limit"), [100], "action.rate_limit has 1 entries for 2 joints"),
        (("action", "scale"), [4, 0], "must be positive"),
        (("action", "rate_limit"), [100, -50], "must be positive"),
        (("action", "offset"), [20, 0], r"a: offset and scale ask for 16.0 and more, torque_limit allows 10"),
        (("joints", 1, "name"), "a", "two joints share a name: a, a"),
        (("signals", 2, "name"), "joint_pos", "two signals share a name"),
        (("joints", 0, "pos_limit"), [1, -1], "pos_limit of a: low 1.0 is not below high -1.0"),
        (("joints", 0, "default_pos"), 1.5, r"default_pos of a = 1.5 is outside pos_limit \[-1.0, 1.0\]"),
        (("joints", 0, "torque_limit"), 0, "greater than 0"),
        (("signals", 0, "low"), 2e6, "range of joint_pos"),
        (("signals", 0, "noise"), -0.1, "greater than or equal to 0"),
        (("joints",), [], "at least 1"),
        (("control_dt",), 0, "greater than 0"),
        (("joints", 0, "torque_limits"), 1, "did you mean 'torque_limit'"),
    ],
)
def test_a_contract_that_cannot_hold_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Contract.parse(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("robot",), "three"),
        (("control_dt",), 0.02 * (1 + 1e-12)),
        (("needs_reward",), True),
        (("joints", 0, "name"), "c"),
        (("joints", 0, "default_pos"), 0.2),
        (("joints", 0, "pos_limit"), [-1, 1.1]),
        (("joints", 0, "vel_limit"), 5.1),
        (("joints", 1, "torque_limit"), 3.1),
        (("signals", 0, "name"), "pos"),
        (("signals", 0, "size"), 3),
        (("signals", 0, "unit"), "deg"),
        (("signals", 0, "frame"), "world"),
        (("signals", 0, "noise"), 0.1),
        (("signals", 0, "bias"), 0.1),
        (("signals", 0, "delay"), 0.1),
        (("signals", 0, "low"), -1.0),
        (("signals", 0, "high"), 1.0),
        (("action", "unit"), "mN·m"),
        (("action", "scale"), [4.1, 5]),
        (("action", "offset"), [1.1, 0]),
        (("action", "rate_limit"), [100, 51]),
        (("joints",), TWO_JOINTS["joints"][::-1]),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_the_fingerprint_changes_with_any_field(path: tuple[Any, ...], value: Any) -> None:
    assert Contract.parse(changed(path, value)).fingerprint != Contract.parse(TWO_JOINTS).fingerprint


def test_the_fingerprint_survives_a_round_trip_and_the_order_of_keys() -> None:
    contract = Contract.parse(TWO_JOINTS)
    assert Contract.parse(contract.plain()).fingerprint == contract.fingerprint
    assert Contract.parse(dict(reversed(TWO_JOINTS.items()))).fingerprint == contract.fingerprint


def test_a_copy_derives_its_own_fingerprint_and_limits() -> None:
    contract = Contract.parse(TWO_JOINTS)
    old = (contract.fingerprint, contract.max_command_change)
    copy = contract.model_copy(update={"control_dt": 0.01})
    assert copy.fingerprint != old[0]
    assert copy.max_command_change == pytest.approx((1.0, 0.5))
    assert (contract.fingerprint, contract.max_command_change) == old


def in_mode(mode: str, **action: Any) -> dict[str, Any]:
    joints = [{**joint, "kp": 40.0, "kd": 1.0} for joint in TWO_JOINTS["joints"]]
    return {**TWO_JOINTS, "joints": joints, "action": {**TWO_JOINTS["action"], "mode": mode, **action}}


@pytest.mark.parametrize(
    ("mode", "unit", "limits"),
    [
        ("torque", "N·m", ((-3, 5), (-3, 3))),
        ("position", "rad", ((-1, 1), (-2, 2))),
        ("velocity", "rad/s", ((-3, 5), (-5, 5))),
    ],
)
def test_each_mode_has_its_limits_and_unit(mode: str, unit: str, limits: tuple[Any, ...]) -> None:
    contract = Contract.parse(in_mode(mode))
    assert contract.command_limits == limits
    assert contract.action.unit == unit
    assert Contract.parse(in_mode(mode, unit="turns")).action.unit == "turns"


@pytest.mark.parametrize(("mode", "gain"), [("position", "kp"), ("position", "kd"), ("velocity", "kd")])
def test_a_closed_loop_needs_its_gains(mode: str, gain: str) -> None:
    data = in_mode(mode)
    data["joints"] = [data["joints"][0], {k: v for k, v in data["joints"][1].items() if k != gain}]
    with pytest.raises(ConfigError, match=f"b: action.mode {mode} needs {gain}"):
        Contract.parse(data)


def test_a_range_outside_the_joint_names_the_limit() -> None:
    with pytest.raises(ConfigError, match=r"b: offset and scale ask for 5.0 and more, pos_limit allows 2.0"):
        Contract.parse(in_mode("position", offset=[0, 10]))


def test_fields_that_are_not_used_leave_the_fingerprint_alone() -> None:
    fingerprint = Contract.parse(TWO_JOINTS).fingerprint
    unused = changed(("signals", 0, "quantum"), None)
    assert Contract.parse(unused).fingerprint == fingerprint
    assert Contract.parse(changed(("signals", 0, "quantum"), 0.1)).fingerprint != fingerprint
    assert Contract.parse(in_mode("torque")).fingerprint != fingerprint
