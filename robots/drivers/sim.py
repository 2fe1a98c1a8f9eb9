"""Reach a simulated robot inside this process: the twin's trials without the line. Imports PyBullet when opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack
from urllib.parse import SplitResult

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import DriverError, Features, Reading, check_contract, in_order, query_options
from robots.model import Engine
from robots.twin.scored import ScoredTrials, WorldScore

OPTIONS = {"worlds": int, "first_world": int, "seed": int, "stream": str, "effect": str, "task": str, "engine": str}


class Played(TypedDict, total=False):
    """Which worlds of the robot are played, and how: what `simshift twin` takes under the same names."""

    seed: int
    stream: str
    effect: str
    task: str | None
    engine: Engine | None


def open_url(url: SplitResult, contract: Contract | None) -> SimDriver:
    """Make the driver of `sim://ROBOT?worlds=1&first_world=0&seed=0&stream=held_out&effect=none&task=TASK&engine=ENGINE`."""
    if not url.netloc:
        raise ConfigError(f"{url.geturl()}: expected sim://ROBOT")
    return SimDriver(url.netloc, contract, **query_options(url, OPTIONS))


class SimDriver:
    """Plays one trial in each of `worlds` worlds, in lockstep; `scores` holds the finished ones, for the caller."""

    def __init__(
        self,
        robot: str = "servo_arm",
        contract: Contract | None = None,
        *,
        worlds: int = 1,
        first_world: int = 0,
        **played: Unpack[Played],
    ) -> None:
        plain: Played = {"seed": 0, "stream": "held_out", "effect": "none"}
        indices = range(first_world, first_world + worlds)
        self._trials = ScoredTrials(robot, indices, **(plain | played))  # type: ignore[misc]
        self._contract = contract
        self.features = Features.of(self._trials.contract, "lockstep")
        self._sequence = 0
        self._ended = True

    @property
    def scores(self) -> Sequence[WorldScore]:
        """One entry per trial that has ended."""
        return self._trials.scores

    def connect(self) -> Features:
        """Check the contract; raises `ContractMismatch`."""
        check_contract(self.features, self._contract)
        return self.features

    def read(self) -> Reading:
        """Return what the robot senses now; begins the next world's trial after the end of one.

        Raises `DriverError` when no trial is left.
        """
        trials = self._trials
        if not trials.running and not self._ended:
            self._ended = True
            return self._end()
        if not trials.running:
            if not trials.left:
                raise DriverError(f"all {len(trials.scores)} trials are played")
            trials.begin()
            self._ended = False
        return self._sense()

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Hold a command for one control period; returns what was sent after limits and rate limit."""
        sent = self._trials.step(in_order(command, self.features.joint_names))
        return dict(zip(self.features.joint_names, sent, strict=True))

    def stop(self) -> dict[str, float]:
        """Hold the safe command for one control period, if a trial is running; returns it."""
        if self._trials.running:
            self._trials.step_safely()
        return self.features.safe_command

    def close(self) -> None:
        """Give a running trial up and release the simulator; safe to call twice."""
        self._trials.abort()
        self._trials.close()

    def _sense(self) -> Reading:
        trials, contract = self._trials, self._trials.contract
        self._sequence += 1
        values = trials.observation.tolist()
        signals = {name: values[where] for name, where in contract.signal_slices.items()}
        time = self._sequence * contract.control_dt
        reward = trials.reward if self.features.gives_reward else None
        return Reading(self._sequence, time, signals, trials.episode_start, trials.trial_start, reward=reward)

    def _end(self) -> Reading:
        self._sequence += 1
        time = self._sequence * self._trials.contract.control_dt
        return Reading(self._sequence, time, {}, trial_end=True, session_end=not self._trials.left)
