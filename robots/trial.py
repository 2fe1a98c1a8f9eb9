"""Trials: several episodes of one task in a row, for many robots at once.

A trial is `episodes × horizon` control steps of one world. An episode that terminates early makes room for another, so
every trial has the same length and a batch of them is a full `[T, N]` block. The true final observation of an episode
and the first one of the next are both reported: nothing that learns has to guess which of the two it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Unpack

import numpy as np

from robots.contract import Contract
from robots.robot_env import EnvSettings, RobotEnv


class TrialStep(NamedTuple):
    """One control period of N trials.

    `obs` is what the policy reads next: after an episode's end the first observation of the next episode, while
    `final_obs` keeps the true last one. `episode_start` marks the former. `sent_action` is the normalised action after
    limits and rate limit. `told_reward` is what the policy reads as its last reward where training pays another.
    `achieved` `[N, G]` is what a task with a goal was judged by, true and not as sensed; nothing without a goal.
    """

    obs: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    final_obs: np.ndarray
    episode_start: np.ndarray
    sent_action: np.ndarray
    success: np.ndarray
    told_reward: np.ndarray | None = None
    achieved: np.ndarray | None = None


class WorldShape(Protocol):
    """The facts that policies and schedules are built from.

    A trial has `trial_steps`, an episode at most `episode_steps`. With `discrete`, an action is a one-hot vector.
    `reads_reward` says whether the last reward may be an input.
    """

    trial_steps: int
    episode_steps: int
    obs_size: int
    action_size: int
    context_size: int
    discrete: bool
    reads_reward: bool


class TrialWorlds(WorldShape, Protocol):
    """N tasks advancing together: what learning and evaluation see of a robot, or of any other family of tasks.

    `rest_action` `[A]` is what counts as the last action where an episode starts.
    """

    size: int
    rest_action: np.ndarray

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]: ...
    def step(self, action: np.ndarray) -> TrialStep: ...
    def close(self) -> None: ...


class RobotTrials:
    """N robots of one kind in this process, each in its own world.

    Trial i is played in world i; with `worlds`, in world i mod `worlds`, with other starts and noise at each visit.
    `settings` are those of each robot's environment.
    """

    discrete = False

    def __init__(
        self,
        robot: str,
        size: int,
        *,
        seed: int,
        worlds: int | None = None,
        **settings: Unpack[EnvSettings],
    ) -> None:
        self.size = size
        self._seed, self._worlds = seed, worlds
        self._envs = [RobotEnv(robot, **settings) for _ in range(size)]
        first = self._envs[0]
        self._has_goal = first.task.goal() is not None
        self.contract: Contract = first.contract
        self.obs_size = self.contract.obs_size
        self.action_size = len(self.contract.joints)
        self.context_size = len(first.randomization.names)
        self.reads_reward = self.contract.needs_reward
        self.rest_action = np.array(first.last_action, dtype=np.float32)
        self.episode_steps = first.horizon
        self.trial_steps = first.spec_of_robot.task.episodes * first.horizon

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Begin trial `indices[i]` on robot i; returns observations `[N, obs]` and contexts `[N, context]`.

        Fewer indices than robots leaves the rest idle until the next `begin`.
        """
        self._active = self._envs[: len(indices)]
        visits = [divmod(int(i), self._worlds) if self._worlds else (0, int(i)) for i in indices]
        self._episode = [visit * self.trial_steps for visit, _ in visits]
        keys = [{"world": world, "episode": first} for (_, world), first in zip(visits, self._episode, strict=True)]
        starts = [env.reset(seed=self._seed, options=key) for env, key in zip(self._active, keys, strict=True)]
        return np.stack([obs for obs, _ in starts]), np.stack([info["context"] for _, info in starts])

    def step(self, action: np.ndarray) -> TrialStep:
        """Advance all active trials by one control period; `action` `[N, A]`, clipped to [−1, 1] by the robots."""
        rows = [self._step_one(i, a) for i, a in zip(range(len(self._active)), action, strict=True)]
        *columns, achieved = map(np.array, zip(*rows, strict=True))  # np.stack is ten times slower on single numbers
        return TrialStep(*columns)._replace(achieved=achieved)

    def _step_one(self, i: int, action: np.ndarray) -> tuple[Any, ...]:
        env = self._active[i]
        obs, reward, terminated, truncated, _ = env.step(action)
        sent, success, final_obs, ended = env.last_action, env.success, obs, terminated or truncated
        achieved = env.achieved_goal if self._has_goal else ()
        if ended:
            self._episode[i] += 1
            obs = env.begin_episode(self._episode[i])
        return obs, reward, terminated, truncated, final_obs, ended, np.asarray(sent, np.float32), success, achieved

    def close(self) -> None:
        """Release all simulators."""
        for env in self._envs:
            env.close()
