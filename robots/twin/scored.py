"""Trials of a robot's own task, played by command and scored here: the score belongs to the robot's side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from domain_rand.parameters import combine
from domain_rand.schema import ConfigError, nearest
from robots.effects import effect_named
from robots.model import Engine
from robots.robot_env import RobotEnv
from robots.twin.faults import Faults, Switch


@dataclass(frozen=True)
class WorldScore:
    """One trial in one world: return per episode, and whether each episode that ended did so on target.

    `reached` says of every episode whether it was ever on target.

    `params` are the world's hidden parameters in physical units, as they were at the start. `per_phase` are the returns
    before, between and after the switches of hidden parameters, `phase_ticks` how long each phase was, `per_slot` the
    returns of each `slot_ticks`. An incomplete trial was given up; its last return is that of a part of an episode.
    """

    world: int
    params: dict[str, float]
    per_episode: tuple[float, ...]
    success: tuple[bool, ...]
    ticks: int
    complete: bool
    per_phase: tuple[float, ...] = ()
    phase_ticks: tuple[int, ...] = ()
    per_slot: tuple[float, ...] = ()
    reached: tuple[bool, ...] = ()

    @property
    def total(self) -> float:
        """Sum of the episodes' returns."""
        return sum(self.per_episode)

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data; `total` is called `return` there."""
        data = asdict(self)
        return {"world": data.pop("world"), "return": self.total, **data}


def slot_ticks(control_dt: float) -> int:
    """Return the control periods that come nearest to a tenth of a second."""
    return max(1, round(0.1 / control_dt))


class ScoredTrials:
    """Worlds played one after the other, `episodes × horizon` control steps each, as in training.

    `observation` is float32 `[obs]`, what the policy is to answer next; `trial_start` and `episode_start` belong to it.
    `reward` is that of the control period before, as in training: an episode's last comes with the next one's start.
    Of `faults`, those of sensors and machine act here. Raises `ConfigError` for a signal or parameter not there.
    """

    def __init__(
        self,
        robot: str,
        worlds: Iterable[int],
        seed: int,
        stream: str,
        effect: str,
        task: str | None = None,
        faults: Faults | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._env = RobotEnv(robot, stream=stream, effect=effect_named(effect), task=task, engine=engine)
        self._seed = seed
        self._waiting = list(worlds)
        if not self._waiting:
            raise ConfigError("worlds is 0; at least one world is needed")
        self.contract = self._env.contract
        self.trial_steps = self._env.spec_of_robot.task.episodes * self._env.horizon
        self._slot = slot_ticks(self.contract.control_dt)
        self.scores: list[WorldScore] = []
        self.running = False
        self._faults = faults or Faults()
        try:
            check_faults(self._faults, self._env)
        except ConfigError:
            self._env.close()
            raise

    @property
    def left(self) -> int:
        """Worlds not begun yet."""
        return len(self._waiting)

    @property
    def episode(self) -> int:
        """Number of the episode in its trial, from 0."""
        return len(self._returns) - 1

    @property
    def held(self) -> list[float]:
        """The command sent last in this episode, initially the safe one, in contract order."""
        return self._env.robot.limiter.last

    @property
    def context(self) -> np.ndarray:
        """The hidden parameters as they are now, as a vector; no robot can tell them."""
        return self._env.context.normalized

    def begin(self) -> None:
        """Begin the next world's trial."""
        self.world = self._waiting.pop(0)
        observation, info = self._env.reset(seed=self._seed, options={"world": self.world})
        self._params: dict[str, float] = info["params"]
        self._returns, self._success, self._ticks = [0.0], list[bool](), 0
        self._reached = [False]
        self._phases, self._phase_ticks, self._slots = [0.0], [0], list[float]()
        self._switches = sorted(self._faults.switch, key=lambda switch: switch.at)
        self._frozen: dict[int, np.ndarray] = {}
        self.reward = 0.0
        self.observation = self._sensed(observation)
        self.trial_start = self.episode_start = self.running = True

    def step(self, command: Sequence[float]) -> list[float]:
        """Hold a command for one control period; returns what was sent. Ends the trial after `trial_steps` of them.

        Raises `UnsafeCommand`, with nothing moved, when the command is not finite or has the wrong size.
        """
        self._switch()
        observation, reward, terminated, truncated, _ = self._env.step_command(command)
        sent, self.reward = self.held, float(reward)
        self.trial_start = self.episode_start = False
        self._returns[-1] += self.reward
        self._phases[-1] += self.reward
        self._phase_ticks[-1] += 1
        self._slots += [0.0] if self._ticks % self._slot == 0 else []
        self._slots[-1] += self.reward
        self._ticks += 1
        self.observation = self._sensed(observation)
        on_target = bool(self._env.success)
        self._reached[-1] |= on_target
        if terminated or truncated:
            self._success.append(on_target)
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
        self.observation = self._sensed(self._env.begin_episode(len(self._returns)))
        self.episode_start = True
        self._returns.append(0.0)
        self._reached.append(False)

    def _finish(self, complete: bool) -> None:
        self.running = False
        returns, success = tuple(self._returns), tuple(self._success)
        parts = tuple(self._phases), tuple(self._phase_ticks), tuple(self._slots), tuple(self._reached)
        self.scores.append(WorldScore(self.world, self._params, returns, success, self._ticks, complete, *parts))

    @property
    def _time(self) -> float:
        """Time since the trial began [s]."""
        return self._ticks * self.contract.control_dt + 1e-9

    def _switch(self) -> None:
        """Let hidden parameters change whose time has come; a new phase begins where something has been scored."""
        while self._switches and self._switches[0].at <= self._time:
            self._env.switch(self._switches.pop(0).values(self._env.context.params))
            if self._phase_ticks[-1]:
                self._phases.append(0.0)
                self._phase_ticks.append(0)

    def _sensed(self, observation: np.ndarray) -> np.ndarray:
        """Return what arrives of an observation: a frozen signal stays as it was when it froze."""
        if not self._faults.freeze:
            return observation
        observation = observation.copy()
        for number, freeze in enumerate(self._faults.freeze):
            where = self.contract.signal_slices[freeze.signal]
            if freeze.start <= self._time and (freeze.stop is None or self._time < freeze.stop):
                observation[where] = self._frozen.setdefault(number, observation[where].copy())
        return observation


def check_faults(faults: Faults, env: RobotEnv) -> None:
    """Raise `ConfigError` for a fault of a signal or a parameter that the robot does not have."""
    signals, parameters = env.contract.signal_names, env.randomization.names
    for freeze in faults.freeze:
        if freeze.signal not in signals:
            raise ConfigError(f"faults.freeze: no signal '{freeze.signal}'; {nearest(freeze.signal, signals)}")
    for switch in faults.switch:
        for name in (*switch.params, *switch.scale):
            if name not in parameters:
                raise ConfigError(f"faults.switch: no parameter '{name}'; {nearest(name, parameters)}")
        for name, value in (*switch.params.items(), *_scaled(switch, env)):
            _check_value(name, value, env)


def _scaled(switch: Switch, env: RobotEnv) -> list[tuple[str, float]]:
    """Return the outermost values that scaling may lead to, where draws have a finite range."""
    edges = ((name, factor, env.randomization.parameters[name].draw.support) for name, factor in switch.scale.items())
    return [(name, factor * edge) for name, factor, support in edges for edge in support if isfinite(edge)]


def _check_value(name: str, value: float, env: RobotEnv) -> None:
    entry, robot = env.randomization.parameters[name], env.robot
    row = entry.row
    for target in entry.targets(name, robot.names(row.group)):
        try:
            row.check(combine(entry.op, robot.nominal(row.group, target, row.field), value), target)
        except ValueError as error:
            raise ConfigError(f"faults.switch: {name} = {value:g}: {error}") from None
