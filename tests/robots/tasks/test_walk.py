from __future__ import annotations

from math import exp
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robots.tasks.walk import Walk, WalkEpisode

DT = 0.02


def seen(**change: Any) -> Any:
    """A robot that stands, as far as this task looks at it."""
    still: dict[str, Any] = {
        "control_dt": DT,
        "joint_count": 2,
        "base_lin_vel_body": (0.0, 0.0, 0.0),
        "base_ang_vel_body": (0.0, 0.0, 0.0),
        "projected_gravity": (0.0, 0.0, -1.0),
        "base_height": (0.26,),
        "last_action": [0.0, 0.0],
    }
    return SimpleNamespace(**{**still, **change})


def drawn(seed: int = 0, **settings: Any) -> WalkEpisode:
    return Walk(**settings).begin(np.random.default_rng(seed), seen())


FORWARD: dict[str, Any] = {"forward": (0.5, 0.5), "leftward": (0.0, 0.0), "turning": (0.2, 0.2), "still_share": 0.0}
AS_TOLD: dict[str, Any] = {"base_lin_vel_body": (0.5, 0.0, 0.1), "base_ang_vel_body": (0.3, 0.1, 0.2)}


def test_commands_stay_in_their_ranges_and_some_are_zero() -> None:
    commands = np.array([drawn(seed).command_signals(0, seen())["velocity_command"] for seed in range(400)])
    still = (commands == 0).all(axis=1)
    assert 0.05 < still.mean() < 0.16
    assert np.all(commands >= [-0.5, -0.3, -0.8])
    assert np.all(commands <= [1.0, 0.3, 0.8])


def test_the_command_changes_at_the_hold_time() -> None:
    episode = drawn(episode_time=0.2, hold_time=0.1, still_share=0.0)
    shown = [tuple(episode.command_signals(step, seen())["velocity_command"]) for step in range(11)]
    assert len(set(shown)) == 2
    assert shown[4] != shown[5] == shown[10]


def test_a_robot_that_does_as_told_earns_one() -> None:
    assert drawn(**FORWARD).reward(1, seen(**AS_TOLD)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"base_lin_vel_body": (0.0, 0.0, 0.0)}, 4 * (1 - exp(-4 * 0.25))),
        ({"base_lin_vel_body": (0.5, 0.5, 0.0)}, 4 * (1 - exp(-4 * 0.25))),
        ({"base_ang_vel_body": (0.0, 0.0, -0.3)}, 2 * (1 - exp(-4 * 0.25))),
        ({"projected_gravity": (0.1, 0.0, -0.99)}, 1 - exp(-20 * 0.01)),
        ({"base_height": (0.13,)}, 1 - 0.1),
        ({"base_height": (0.24,)}, 0.0),
    ],
    ids=str,
)
def test_every_fault_costs_its_share(change: dict[str, Any], lost: float) -> None:
    reward = drawn(**FORWARD).reward(1, seen(**{**AS_TOLD, **change}))
    assert reward == pytest.approx(1 - lost / 9)


def test_jerking_costs_from_the_second_action_on() -> None:
    episode = drawn(**FORWARD)
    rewards = [episode.reward(1, seen(**AS_TOLD, last_action=action)) for action in ([0.5, 0.0], [0.5, 0.6])]
    assert rewards == pytest.approx([1.0, 1 - 0.18 / 9])


def test_it_ends_by_falling_over_or_down() -> None:
    episode = drawn()
    assert not episode.terminated(1, seen())
    assert not episode.terminated(1, seen(base_height=(0.16,)))
    assert episode.terminated(1, seen(projected_gravity=(0.9, 0.0, -0.4)))
    assert episode.terminated(1, seen(base_height=(0.1,)))


def test_success_is_to_move_as_told_on_ones_feet() -> None:
    episode = drawn(**FORWARD)
    assert episode.success(1, seen(**AS_TOLD))
    assert not episode.success(1, seen())
    assert not episode.success(1, seen(**AS_TOLD, base_height=(0.1,)))
