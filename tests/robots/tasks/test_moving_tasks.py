"""Run, move at a velocity, drive to a place: what is commanded, what is hidden, what is earned."""

from __future__ import annotations

from math import cos, hypot, pi, sin
from typing import Any

import numpy as np
import pytest

from robots.robot_env import RobotEnv
from robots.rotation import from_yaw
from robots.spec import ROBOTS, RobotFile, load_robot
from robots.task import Start
from robots.tasks.drive_to_goal import DriveToGoal, DriveToGoalEpisode
from robots.tasks.run_direction import RunDirection, RunDirectionEpisode
from robots.tasks.target_velocity import TargetVelocity, TargetVelocityEpisode

HIDDEN = [
    ("half_cheetah", "hidden_direction", "heading", {0.0, 3.14159265}),
    ("half_cheetah", "hidden_velocity_0_3", "velocity", (0.0, 3.0)),
    ("ant", "hidden_direction", "heading", (-pi, pi)),
    ("ant", "hidden_goal_3", "x", (-3.0, 3.0)),
    ("husky", "find_goal", "y", (-3.0, 3.0)),
    ("kuka", "find_on_arc", "heading", (-1.3, 1.3)),
]


class View:
    """A body as a task sees it."""

    def __init__(self, vel: tuple[float, ...] = (0.0, 0.0, 0.0), yaw: float = 0.0, **more: Any) -> None:
        self.base_lin_vel_world, self.base_quat_xyzw = vel, from_yaw(yaw)
        self.base_pos_world = self.base_height = (0.0, 0.0, 1.0)
        self.base_height = (1.0,)
        self.projected_gravity = (0.0, 0.0, -1.0)
        self.last_action, self.joint_count = [0.0, 0.0], 2
        self.__dict__.update(more)


@pytest.mark.parametrize(("speed", "earned"), [(2.0, 1.0), (1.0, 0.5), (0.0, 0.0), (-1.0, -0.5), (-9.0, -1.0)])
def test_running_earns_its_share_of_full_speed(speed: float, earned: float) -> None:
    task = RunDirection(full_speed=2.0, ease_weight=0.0)
    north = RunDirectionEpisode(task, (0.0, 1.0), Start(), 10)
    assert north.reward(1, View((5.0, speed, 3.0))) == pytest.approx(earned)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_either_way_pays_for_getting_away_and_not_for_rocking(side: float) -> None:
    task = RunDirection(full_speed=2.0, ease_weight=0.0, either_way=True)
    episode = RunDirectionEpisode(task, (1.0, 0.0), Start(), 10)
    out, back = (View((speed * side, 0.0, 0.0), base_pos_world=(side, 0.0, 1.0)) for speed in (2.0, -2.0))
    assert (episode.reward(1, out), episode.reward(2, back)) == pytest.approx((1.0, -1.0))


def test_standing_and_ease_are_parts_of_a_mean() -> None:
    task = RunDirection(full_speed=2.0, alive_weight=0.5, ease_weight=0.1, fall_height=0.5)
    episode = RunDirectionEpisode(task, (1.0, 0.0), Start(), 10)
    busy = {"last_action": [1.0, 0.0]}
    assert episode.reward(1, View((1.0, 0.0, 0.0), **busy)) == pytest.approx((0.5 + 0.5 + 0.1 * 0.5) / 1.6)
    assert episode.reward(1, View((1.0, 0.0, 0.0), base_height=(0.4,))) == pytest.approx((0.5 + 0.1) / 1.6)


def test_diving_again_and_again_pays_less_than_hopping_at_half_of_full_speed() -> None:
    """Half a second at full speed on the way down, and the next episode begins upright."""
    task = load_robot("hopper")[0].task.task
    assert isinstance(task, RunDirection)
    episode = RunDirectionEpisode(task, (1.0, 0.0), Start(), 250)
    fast, hopping = (View((speed, 0.0, 0.0), base_height=(1.2,)) for speed in (2.0, 1.0))
    down = View((2.0, 0.0, 0.0), base_height=(0.6,))
    assert episode.terminated(25, down)
    dive = sum(episode.reward(step, fast) for step in range(1, 25)) + episode.reward(25, down) - task.fall_cost
    assert dive < sum(episode.reward(step, hopping) for step in range(1, 26))


def test_a_command_is_seen_from_the_body() -> None:
    run = RunDirectionEpisode(RunDirection(), (0.0, 1.0), Start(), 10)
    assert run.command_signals(0, View(yaw=pi / 2))["direction_command"] == pytest.approx((1.0, 0.0))
    assert run.command_signals(0, View(yaw=0.0))["direction_command"] == pytest.approx((0.0, 1.0))
    drive = DriveToGoalEpisode(DriveToGoal(), (3.0, 1.0), Start(), 10)
    seen = drive.command_signals(0, View(yaw=-pi / 2, base_pos_world=(1.0, 1.0, 0.2)))["goal_pos_heading"]
    assert seen == pytest.approx((0.0, 2.0))


@pytest.mark.parametrize(("forward", "earned"), [(1.5, 1.0), (1.0, 0.75), (0.0, 0.25), (-2.0, 0.0)])
def test_velocity_is_forward_along_the_heading(forward: float, earned: float) -> None:
    episode = TargetVelocityEpisode(TargetVelocity(reach=2.0, ease_weight=0.0), 1.5, Start(), 10)
    view = View((forward * cos(0.7), forward * sin(0.7), 0.0), yaw=0.7)
    assert episode.reward(1, view) == pytest.approx(earned)
    assert episode.success(1, view) == (earned == 1.0)


def test_the_goal_earns_all_within_its_radius_and_a_tenth_at_the_margin() -> None:
    task = DriveToGoal(success_radius=0.5, margin=2.0, ease_weight=0.0)
    episode = DriveToGoalEpisode(task, (3.0, 4.0), Start(), 10)
    for distance, earned in ((0.4, 1.0), (2.5, 0.1)):
        view = View(base_pos_world=(3.0 - 0.6 * distance, 4.0 - 0.8 * distance, 0.0))
        assert episode.reward(1, view) == pytest.approx(earned)
        assert episode.success(1, view) == (distance < 0.5)


@pytest.mark.parametrize(
    ("view", "fallen"),
    [({}, False), ({"base_height": (0.2,)}, True), ({"projected_gravity": (0.9, 0.0, -0.4)}, True)],
    ids=["stands", "low", "tilted"],
)
def test_a_fall_ends_the_episode_and_no_success_is_left(view: dict[str, Any], fallen: bool) -> None:
    task = RunDirection(fall_height=0.3, fall_tilt=0.5)
    episode = RunDirectionEpisode(task, (1.0, 0.0), Start(), 10)
    assert episode.terminated(1, View((3.0, 0.0, 0.0), **view)) == fallen
    assert episode.success(1, View((3.0, 0.0, 0.0), **view)) != fallen


@pytest.mark.parametrize(("robot", "task", "field", "support"), HIDDEN, ids=lambda v: v if isinstance(v, str) else "")
def test_a_hidden_goal_is_the_world_s(robot: str, task: str, field: str, support: Any) -> None:
    env = RobotEnv(robot, task=task)
    goals = []
    for world in range(8):
        _, info = env.reset(seed=3, options={"world": world})
        goals.append(getattr(env.robot.view.goal, field))
        assert info["params"][f"goal_{field}"] == pytest.approx(goals[-1])
        env.begin_episode(1)
        assert getattr(env.robot.view.goal, field) == goals[-1]
        assert not env.episode.command_signals(0, env.robot.view)
    assert len(set(goals)) == (len(support) if isinstance(support, set) else 8)
    assert (
        set(goals) <= support if isinstance(support, set) else min(support) <= min(goals) <= max(goals) <= max(support)
    )
    assert env.contract.needs_reward  # nothing else tells
    env.close()


def test_a_hidden_goal_changes_what_is_earned_and_nothing_that_is_seen() -> None:
    env = RobotEnv("half_cheetah", task="hidden_velocity_0_3")
    played = []
    for velocity in (0.5, 2.5):
        rows = [env.reset(seed=0, options={"params": {"goal_velocity": velocity}, "world": 0})[0]]
        steps = [env.step(np.full(6, 0.2, dtype=np.float32)) for _ in range(20)]
        played.append((np.array([*rows, *(step[0] for step in steps)]), np.array([step[1] for step in steps])))
    env.close()
    assert np.array_equal(played[0][0], played[1][0])
    assert np.abs(played[0][1] - played[1][1]).min() > 0.1


def test_commands_are_the_episode_s_and_the_world_keeps_out_of_them() -> None:
    env = RobotEnv("husky")
    env.reset(seed=0)
    goals = [env.begin_episode(k) is not None and env.episode.goal_world for k in range(5)]  # type: ignore[attr-defined]
    assert len(set(goals)) == 5
    assert all(1.0 <= hypot(*goal) <= 4.0 for goal in goals)
    assert "goal_x" not in env.context.params
    env.close()


def test_what_varies_is_the_body_the_goal_or_both() -> None:
    def varies(task: str) -> tuple[bool, bool]:
        names = load_robot("half_cheetah", task)[1].names
        return any(not name.startswith("goal_") for name in names), any(name.startswith("goal_") for name in names)

    assert varies("run_direction") == (True, False)
    assert varies("hidden_velocity_0_3") == (False, True)
    assert varies("hidden_velocity_0_3_any_body") == (True, True)


@pytest.mark.parametrize("robot", ["husky", "half_cheetah", "ant"])
def test_a_velocity_task_carries_its_range_in_its_name(robot: str) -> None:
    entries = RobotFile.load(ROBOTS / robot / "robot.yaml").tasks
    for name, entry in entries.items():
        if "velocity" in name:
            hidden = entry.get("randomization", {}).get("goal_velocity", {}).get("draw")
            low, high = (hidden["low"], hidden["high"]) if hidden else entry["velocity_range"]
            assert f"velocity_{low:g}_{high:g}" in name


def test_falling_terminates_and_running_out_of_time_does_not() -> None:
    env = RobotEnv("hopper")
    env.reset(seed=0)
    endings = []
    while not endings or not any(endings[-1]):
        endings.append(env.step(np.zeros(3, dtype=np.float32))[2:4])
    assert endings[-1] == (True, False)
    cheetah = RobotEnv("half_cheetah")
    cheetah.reset(seed=0)
    last = [cheetah.step(np.zeros(6, dtype=np.float32))[2:4] for _ in range(cheetah.horizon)][-1]
    assert last == (False, True)
    env.close()
    cheetah.close()
