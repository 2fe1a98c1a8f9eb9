"""How long adapting takes, where it is known."""

from __future__ import annotations

import numpy as np
import pytest

from sdk.suite.settling import adapted_after, recovered_after, settled_after

EPISODE = 20


def stepped(slots: int, high: float, low: float = 0.0, until: int = 0) -> np.ndarray:
    """Return `high` for `until` slots, then `low`."""
    return np.where(np.arange(slots) < until, high, low)


@pytest.mark.parametrize("until", [0, 1, 7, 20, 39])
def test_a_step_is_settled_where_it_ends(until: int) -> None:
    behind = stepped(60, high=1.0, low=0.3, until=until)
    assert settled_after(behind, np.array(0.1), EPISODE) == until


def test_what_is_hard_at_some_time_of_every_episode_is_not_adapting() -> None:
    rhythm = np.tile(np.sin(np.arange(EPISODE)), 3)
    assert settled_after(rhythm + stepped(60, 1.0, until=7), np.array(0.1), EPISODE) == 7


def test_the_average_over_half_a_second_counts() -> None:
    blip = np.zeros(60)
    blip[30] = 1.0
    assert settled_after(blip, np.array(0.2), EPISODE) == 0, "a fifth on average"
    assert settled_after(blip, np.array(0.19), EPISODE) == 31


def test_a_ramp_is_settled_where_a_tenth_is_left() -> None:
    ramp = np.clip(1 - np.arange(60) / 30, 0, None)  # windows average what their middle, two slots on, is behind
    assert settled_after(ramp, np.array(0.1), EPISODE) == 25


def test_who_may_not_miss_even_nothing_never_settles_and_who_misses_nothing_is_there_at_once() -> None:
    behind = np.stack([np.zeros(60), np.zeros(60)])
    assert settled_after(behind, np.array([-0.1, 0.0]), EPISODE).tolist() == [60, 0]
    assert settled_after(behind, np.array([-0.1, 0.0]), EPISODE, start=25).tolist() == [35, 0]


def test_ninety_percent_is_of_what_is_gained_on_the_floor() -> None:
    floor, ceiling = np.full(60, 1.0), np.full(60, 5.0)
    arm = np.full(60, 4.0)  # gains 3 on the floor: 0.3 may be missing
    arm[:10], arm[10:15] = 2.0, 3.75
    assert adapted_after(np.stack([floor, arm, ceiling]), EPISODE) == 10
    arm[10:15] = 3.65
    assert adapted_after(np.stack([floor, arm, ceiling]), EPISODE) == 11, "a window with one of the better"
    assert adapted_after(np.stack([floor, floor - 1, ceiling]), EPISODE) == 60
    assert adapted_after(np.stack([floor, ceiling, ceiling]), EPISODE) == 0


def test_luck_that_arm_and_ceiling_share_does_not_count() -> None:
    luck = np.random.default_rng(0).normal(size=60)
    floor, ceiling, arm = luck, 5 + luck, 4 + luck - stepped(60, 3.0, until=10)
    assert adapted_after(np.stack([floor, arm, ceiling]), EPISODE) == 10


def test_recovery_counts_from_the_switch_and_within_a_tenth_of_what_is_earned_then() -> None:
    ceiling = np.full(60, 5.0)
    arm = np.full(60, 2.0)  # 0.2 may be missing
    arm[:25] = 4.5  # before the switch
    arm[25:33] = 0.5
    assert recovered_after(np.stack([arm, ceiling]), EPISODE, start=25) == 8
    arm[25:33] = 1.85
    assert recovered_after(np.stack([arm, ceiling]), EPISODE, start=25) == 0
