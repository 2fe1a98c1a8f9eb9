"""The Gymnasium environment of any robot folder: contract, task and randomisation, stepped through one simulated robot.

An episode is keyed by (seed, stream, world, episode): the world draws the hidden parameters, the episode draws start,
targets and noise. Equal keys replay bit for bit, in any process and after any history.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Any, TypedDict, cast

import gymnasium
import numpy as np

from domain_rand.randomizer import Context, Randomization, keyed_rng
from domain_rand.schema import ConfigError, nearest
from robots.model import Engine
from robots.safety import UnsafeCommand, all_finite
from robots.simulated import Effect, SimulatedRobot
from robots.spec import load_robot
from robots.task import Episode, GoalEpisode

OPTIONS = ("params", "world", "episode")


class EnvSettings(TypedDict, total=False):
    """What an environment may be told beyond its robot."""

    randomization: Randomization | None
    stream: str
    effect: Effect | None
    task: str | None
    engine: Engine | None


class RobotEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One robot, one task, a new world at each reset.

    Observations are the contract's signals, float32. Actions are in [−1, 1] per joint; the contract makes commands of
    them. `task` names one of the robot's tasks, its default one if left out; `engine` likewise what simulates it.
    `reset(options=…)` takes `params` {name: physical value}, `world` and `episode` (indices of the key).
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(
        self,
        robot: str = "servo_arm",
        randomization: Randomization | None = None,
        stream: str = "train",
        effect: Effect | None = None,
        render_mode: str | None = None,
        task: str | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.spec_of_robot, default = load_robot(robot, task, engine)
        self.contract = self.spec_of_robot.contract
        self.robot = SimulatedRobot(self.spec_of_robot, effect)
        self.randomization = (default if randomization is None else randomization).bind(self.robot)
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(1 / self.contract.control_dt)}
        self.observation_space = _box([(s.low, s.high) for s in self.contract.signals for _ in range(s.size)])
        self.action_space = _box([(-1.0, 1.0)] * len(self.contract.joints))
        self.task = self.spec_of_robot.task.task
        self._stream = stream
        self._seed, self._world = 0, -1
        self._view = self.robot.view
        self._offset, self._scale = self.contract.action.offset, self.contract.action.scale

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode; without options, of the next world. Raises `ConfigError` for an unknown option or name."""
        super().reset(seed=seed)
        options = _checked(options or {})
        if seed is not None:
            self._seed, self._world = seed, -1
        self._world = options.get("world", self._world + 1)
        self._fixed = options.get("params")
        self.applied: dict[str, float] = {}
        episode = options.get("episode", 0)
        self._set_world(episode, self.randomization.names)
        return self._start(episode), self._info()

    def begin_episode(self, episode: int) -> np.ndarray:
        """Begin another episode of the same world: new start, commands and noise, same hidden parameters.

        Only parameters that are drawn for each episode, or change within one, differ.
        """
        if self.randomization.episodic:
            self._set_world(episode, self.randomization.episodic)
        return self._start(episode)

    def _set_world(self, episode: int, names: Collection[str]) -> None:
        key = (self._seed, self._world, episode, self._stream)
        self.context = self.randomization.draw_episode(*key, self._fixed)
        self.applied |= self.randomization.apply(self.context, self.robot, names)

    def _start(self, episode: int) -> np.ndarray:
        rng = keyed_rng(self._seed, self._stream, self._world, f"episode/{episode}")
        self.episode: Episode = self.task.begin(rng, self._view)
        self.robot.start(self.episode.start, rng)
        self.step_count = 0
        self._plan_changes(episode)
        return self._observe()

    def _plan_changes(self, episode: int) -> None:
        horizon_s = self.episode.horizon * self.contract.control_dt
        plan = self.randomization.changes(self._seed, self._world, episode, horizon_s, self._stream, self._fixed)
        self._changes = plan[::-1]
        self._change_time = plan[0].time if plan else inf

    def _change_world(self) -> None:
        """Let what is due happen: a payload drops, a motor weakens."""
        while self._changes and self._changes[-1].time <= self.robot.time:
            values = self._changes.pop().values
            self.context = self.randomization.changed(self.context, values)
            self.applied |= self.randomization.apply(self.context, self.robot, values)
        self.robot.refresh()
        self._change_time = self._changes[-1].time if self._changes else inf

    def switch(self, params: Mapping[str, float]) -> None:
        """Give hidden parameters other physical values, from now to the end of this world, whatever was drawn.

        Raises `ConfigError` for an unknown name, `ValueError` for a value outside physics; nothing has changed then.
        """
        context = self.randomization.changed(self.context, params)
        self.applied |= self.randomization.apply(context, self.robot, params)
        self.context, self._fixed = context, {**(self._fixed or {}), **params}
        self._changes = [
            change._replace(values={name: value for name, value in change.values.items() if name not in params})
            for change in self._changes
        ]
        self.robot.refresh()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance one control period. Raises `UnsafeCommand` when the action is not finite."""
        normalized = action.tolist()
        if not all_finite(normalized):
            raise UnsafeCommand(f"action {normalized} is not finite")
        rows = zip(self._offset, self._scale, normalized, strict=True)
        return self.step_command([o + s * (1.0 if a > 1.0 else -1.0 if a < -1.0 else a) for o, s, a in rows])

    def step_command(self, command: Sequence[float]) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance one control period under a command in the contract's unit and joint order, as a driver gives it.

        Raises `UnsafeCommand`, with nothing moved, when the command is not finite or has the wrong size.
        """
        if self.robot.time >= self._change_time:
            self._change_world()
        self.robot.step(command)
        self.step_count = step = self.step_count + 1
        episode, view = self.episode, self._view
        terminated = episode.terminated(step, view)
        reward = episode.reward(step, view) - self.task.fall_cost * terminated
        return self._observe(), reward, terminated, step >= episode.horizon, {}

    @property
    def horizon(self) -> int:
        """Control steps in one episode, if nothing ends it early."""
        return self.task.horizon(self.contract.control_dt)

    @property
    def success(self) -> bool:
        """Whether the task counts as achieved right now."""
        return self.episode.success(self.step_count, self._view)

    @property
    def achieved_goal(self) -> Sequence[float]:
        """What is reached now of what the task asks for; only tasks with a goal have it."""
        return cast(GoalEpisode, self.episode).achieved_goal(self._view)

    @property
    def last_action(self) -> list[float]:
        """What was sent in the last period (nothing yet: the safe command), as a normalised action."""
        return self._view.last_action

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return an RGB picture of the scene, uint8 `[height, width, 3]`."""
        if self.render_mode != "rgb_array":
            return None
        return np.asarray(self.robot.world.image(), dtype=np.uint8)[..., :3]

    def close(self) -> None:
        """Release the simulator."""
        self.robot.close()

    def _observe(self) -> np.ndarray:
        return self.robot.observe(self.episode.command_signals(self.step_count, self._view))

    def _info(self) -> dict[str, Any]:
        context: Context = self.context
        return {"params": dict(context.params), "context": context.normalized, "applied": self.applied}


def _box(ranges: list[tuple[float, float]]) -> gymnasium.spaces.Box:
    low, high = np.array(ranges, dtype=np.float32).T
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in options:
        if key not in OPTIONS:
            raise ConfigError(f"reset option '{key}' is unknown; {nearest(key, OPTIONS)}")
    return options
