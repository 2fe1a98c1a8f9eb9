from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robots.robot_env import RobotEnv
from robots.safety import safe_command
from robots.trial import RobotTrials, TrialStep


@pytest.fixture
def trials() -> Iterator[RobotTrials]:
    trials = RobotTrials("servo_arm", 2, seed=3)
    yield trials
    trials.close()


def play(trials: RobotTrials, indices: list[int]) -> tuple[np.ndarray, list[TrialStep]]:
    first, _ = trials.begin(indices)
    action = np.full((len(indices), 1), 0.3, dtype=np.float32)
    return first, [trials.step(action) for _ in range(trials.trial_steps)]


def test_a_trial_is_its_episodes_in_a_row(trials: RobotTrials) -> None:
    _, steps = play(trials, [4, 9])
    ends = [t for t, step in enumerate(steps) if step.truncated.any()]
    assert trials.trial_steps == 300
    assert ends == [99, 199, 299]
    assert all(step.truncated.all() and step.episode_start.all() for t, step in enumerate(steps) if t in ends)
    assert not any(step.terminated.any() for step in steps)


def test_an_end_reports_the_true_last_observation_and_the_next_first_one(trials: RobotTrials) -> None:
    _, steps = play(trials, [4, 9])
    env = RobotEnv("servo_arm")
    env.reset(seed=3, options={"world": 9})
    for _ in range(100):
        last, *_ = env.step(np.array([0.3], dtype=np.float32))
    assert np.array_equal(steps[99].final_obs[1], last)
    assert np.array_equal(steps[99].obs[1], env.begin_episode(1))
    assert np.array_equal(steps[98].final_obs, steps[98].obs)
    env.close()


def test_a_trial_replays_on_any_robot_of_the_batch(trials: RobotTrials) -> None:
    first, steps = play(trials, [4, 9])
    swapped_first, swapped = play(trials, [9, 4])
    assert np.array_equal(first, swapped_first[::-1])
    for step, other in zip(steps, swapped, strict=True):
        for values, others in zip(step, other, strict=True):
            assert values is others is None or np.array_equal(values, others[::-1])


def test_a_smaller_batch_leaves_robots_idle(trials: RobotTrials) -> None:
    obs, context = trials.begin([5])
    assert obs.shape == (1, trials.obs_size)
    assert context.shape == (1, trials.context_size)
    assert trials.step(np.zeros((1, 1), dtype=np.float32)).obs.shape == (1, trials.obs_size)


def test_the_action_at_rest_is_the_safe_command() -> None:
    trials = RobotTrials("a1", 1, seed=0)
    action = trials.contract.action
    at_rest = np.array(action.offset) + np.array(action.scale) * trials.rest_action
    assert at_rest == pytest.approx(safe_command(trials.contract), abs=1e-6)
    trials.close()


def test_few_worlds_come_again_with_other_starts_and_noise(trials: RobotTrials) -> None:
    few = RobotTrials("servo_arm", 2, seed=3, worlds=4)
    first, context = few.begin([0, 1])
    again, same = few.begin([4, 5])
    assert np.array_equal(context, same)
    assert not np.array_equal(context[0], context[1])
    assert not np.isclose(first, again).all(1).any()
    assert np.array_equal(few.begin([3, 1])[0][1], trials.begin([3, 1])[0][1])
    few.close()
