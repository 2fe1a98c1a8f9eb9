"""Trials of a robot's own task, played by command and scored here: the score belongs to the robot's side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain_rand.schema import ConfigError
from robots.effects import effect_named
from robots.robot_env import RobotEnv


@dataclass(frozen=True)
class WorldScore:
    """One trial in one world: return per episode, and whether each episode that ended did so on target.

    `params` are the world's hidden parameters in physical units. An incomplete trial was given up; its last return is
    that of a part of an episode.
    """

    world: int
    params: dict[str, float]
    per_episode: tuple[float, ...]
    success: tuple[bool, ...]
    ticks: int
    complete: bool

    @property
    def total(self) -> float:
        """Sum of the episodes' returns."""
        return sum(self.per_episode)

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data; `total` is called `return` there."""
        data = asdict(self)
        return {"world": data.pop("world"), "return": self.total, **data}


class ScoredTrials:
    """Worlds played one after the other, `episodes × horizon` control steps each, as in training.

    `observation` is float32 `[obs]`, what the policy is to answer next; `trial_start` and `episode_start` belong to it.
    """

    def __init__(
        self, robot: str, worlds: Iterable[int], seed: int, stream: str, effect: str, task: str | None = None
    ) -> None:
        self._env = RobotEnv(robot, stream=stream, effect=effect_named(effect), task=task)
        self._seed = seed
        self._waiting = list(worlds)
        if not self._waiting:
            raise ConfigError("worlds is 0; at least one world is needed")
        self.contract = self._env.contract
        self.trial_steps = self._env.spec_of_robot.task.episodes * self._env.horizon
        self.scores: list[WorldScore] = []
        self.running = False

    @property
    def left(self) -> int:
        """Worlds not begun yet."""
        return len(self._waiting)

    @property
    def held(self) -> list[float]:
        """The command sent last in this episode, initially the safe one, in contract order."""
        return self._env.robot.limiter.last

    def begin(self) -> None:
        """Begin the next world's trial."""
        self.world = self._waiting.pop(0)
        self.observation, info = self._env.reset(seed=self._seed, options={"world": self.world})
        self._params: dict[str, float] = info["params"]
        self._returns, self._success, self._ticks = [0.0], list[bool](), 0
        self.trial_start = self.episode_start = self.running = True

    def step(self, command: Sequence[float]) -> list[float]:
        """Hold a command for one control period; returns what was sent. Ends the trial after `trial_steps` of them.

        Raises `UnsafeCommand`, with nothing moved, when the command is not finite or has the wrong size.
        """
        observation, reward, terminated, truncated, _ = self._env.step_command(command)
        sent = self.held
        self.observation = observation
        self.trial_start = self.episode_start = False
        self._returns[-1] += float(reward)
        self._ticks += 1
        if terminated or truncated:
            self._success.append(bool(self._env.success))
        if self._ticks == self.trial_steps:
            self._finish(complete=True)
        elif terminated or truncated:
            self._next_episode()
        return sent

    def step_safely(self) -> list[float]:
        """Take the safe command at once, rate limit or not, for one control period."""
        self._env.robot.limiter.reset()
        return self.step(self.held)

    def abort(self) -> None:
        """Give the running trial up; what happened so far is scored."""
        if self.running:
            self._finish(complete=False)

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()

    def _next_episode(self) -> None:
        self.observation = self._env.begin_episode(len(self._returns))
        self.episode_start = True
        self._returns.append(0.0)

    def _finish(self, complete: bool) -> None:
        self.running = False
        returns, success = tuple(self._returns), tuple(self._success)
        self.scores.append(WorldScore(self.world, self._params, returns, success, self._ticks, complete))
