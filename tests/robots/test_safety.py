from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robots.contract import Contract
from robots.safety import Limiter, UnsafeCommand, limited, safe_command


def contract(offset: float = 0.0, rate: float = 100.0) -> Contract:
    """Two joints at 50 Hz: limits ±4 and ±3 around the offset, 2 N·m a period on the first, 1 on the second."""
    joint: dict[str, Any] = {"pos_limit": [-1, 1], "vel_limit": 5, "torque_limit": 100}
    return Contract.parse(
        {
            "robot": "two",
            "control_dt": 0.02,
            "joints": [{"name": name, **joint} for name in "ab"],
            "signals": [{"name": "joint_pos", "size": 2, "unit": "rad"}],
            "action": {"scale": [4, 3], "offset": [offset, offset], "rate_limit": [rate, rate / 2]},
        }
    )


def test_a_command_within_limits_and_rate_passes_unchanged() -> None:
    assert Limiter(contract())([1.5, -0.5]) == [1.5, -0.5]


def test_a_command_changes_no_faster_than_allowed_and_ends_at_the_limit() -> None:
    limiter = Limiter(contract())
    sent = [limiter([10, -10]) for _ in range(4)]
    assert sent == [[2, -1], [4, -2], [4, -3], [4, -3]]
    assert limiter([-10, 10]) == [2, -2]


def test_reset_returns_to_the_safe_command() -> None:
    limiter = Limiter(contract())
    limiter([2, 1])
    limiter.reset()
    assert limiter.last == [0, 0]
    assert limiter([10, 10]) == [2, 1]


def test_the_safe_command_is_zero_or_the_nearest_allowed() -> None:
    assert safe_command(contract()) == [0, 0]
    assert safe_command(contract(offset=10)) == [6, 7]
    assert safe_command(contract(offset=-10)) == [-6, -7]


@pytest.mark.parametrize(
    ("mode", "offset", "safe"),
    [("velocity", 0.0, [0, 0]), ("position", 0.0, [0.2, -0.3]), ("position", 4.5, [0.5, 0.6])],
)
def test_the_safe_command_of_a_closed_loop(mode: str, offset: float, safe: list[float]) -> None:
    """Standing still, or the default pose, or what of it the limits allow."""
    data = contract(offset).plain()
    for joint, pos in zip(data["joints"], (0.2, -0.3), strict=True):
        joint |= {"default_pos": pos, "kp": 40.0, "kd": 1.0}
    data["action"] |= {"mode": mode, "scale": [4, 3.9]}
    assert safe_command(Contract.parse(data)) == pytest.approx(safe)


@pytest.mark.parametrize("bad", [[math.nan, 0], [0, math.inf], [-math.inf, 0], [1], [1, 1, 1], []])
def test_what_cannot_be_a_command_is_refused_and_forgotten(bad: list[float]) -> None:
    limiter = Limiter(contract())
    limiter([1, 1])
    with pytest.raises(UnsafeCommand):
        limiter(bad)
    assert limiter.last == [1, 1]
    assert limiter([1.5, 1.5]) == [1.5, 1.5]


def test_limits_win_over_rate() -> None:
    assert limited(0, last=9, low=-1, high=1, change=0.5) == 1


any_float = st.floats(allow_nan=False, allow_infinity=False)


@given(
    commands=st.lists(st.tuples(any_float, any_float), min_size=1, max_size=8),
    offset=st.floats(-90, 90),
    rate=st.floats(1e-3, 1e6),
)
def test_whatever_is_asked_what_is_sent_stays_in_limits_and_rate(
    commands: list[tuple[float, float]], offset: float, rate: float
) -> None:
    made = contract(offset, rate)
    limiter = Limiter(made)
    for command in commands:
        last = limiter.last
        sent = limiter(command)
        for value, before, (low, high), change in zip(
            sent, last, made.command_limits, made.max_command_change, strict=True
        ):
            assert low <= value <= high
            assert abs(value - before) <= change + 1e-12 * max(1.0, abs(value))


@given(command=st.tuples(*[st.sampled_from([math.nan, math.inf, -math.inf, 0.0])] * 2).filter(any))
def test_nothing_that_is_not_finite_is_ever_sent(command: tuple[float, float]) -> None:
    limiter = Limiter(contract())
    with pytest.raises(UnsafeCommand):
        limiter(command)
    assert limiter.last == [0, 0]
