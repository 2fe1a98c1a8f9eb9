from __future__ import annotations

from math import pi
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robots.tasks.swing_up import SwingUp


def seen(angle: float = 0.0, vel: float = 0.0, cart: float = 0.0, action: float = 0.0) -> Any:
    """A cart and a pole, as far as this task looks at them."""
    return SimpleNamespace(
        control_dt=0.02,
        joint_pos=[cart],
        last_action=[action],
        joint_pos_of=lambda joint: {"pole": angle}[joint],
        joint_vel_of=lambda joint: {"pole": vel}[joint],
    )


EPISODE = SwingUp(start_std=0.0).begin(np.random.default_rng(0), seen())


@pytest.mark.parametrize(
    ("robot", "reward"),
    [
        (seen(), 1.0),
        (seen(angle=pi), 0.0),
        (seen(angle=pi / 2), 0.5),
        (seen(angle=2 * pi), 1.0),
        (seen(cart=1.5), 0.55),
        (seen(vel=-8.0), 0.55),
        (seen(action=-1.0), 0.9),
        (seen(angle=pi / 2, cart=-1.5, vel=8.0, action=1.0), 0.5 * 0.55 * 0.55 * 0.9),
    ],
)
def test_the_reward_is_a_product(robot: Any, reward: float) -> None:
    assert EPISODE.reward(1, robot) == pytest.approx(reward)


def test_it_starts_hanging_and_never_ends_by_itself() -> None:
    assert EPISODE.start.joint_offset == [0.0, pi]
    assert EPISODE.horizon == 400
    assert not EPISODE.terminated(1, seen(angle=3.0))


def test_balancing_is_lost_by_a_fall_to_either_side() -> None:
    episode = SwingUp(start_angle=0.0, fall_angle=0.5).begin(np.random.default_rng(0), seen())
    assert not episode.terminated(1, seen(angle=0.4))
    assert episode.terminated(1, seen(angle=0.6))
    assert episode.terminated(1, seen(angle=-0.6))


def test_success_is_to_stand() -> None:
    assert EPISODE.success(1, seen(angle=-0.19))
    assert EPISODE.success(1, seen(angle=2 * pi + 0.1))
    assert not EPISODE.success(1, seen(angle=0.21))
