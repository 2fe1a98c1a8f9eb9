"""Drive a robot with an exported policy: named readings in, named and limited commands out. NumPy and onnxruntime only.

One `step` is one control period. Nothing a reading or the graph can do makes `step` return a command that is not
finite, inside the contract's limits and reachable from the last one: it returns such a command or raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from operator import le
from pathlib import Path
from typing import Any

import numpy as np

from domain_rand.schema import nearest
from export.bundle import STEP_GRAPH, Bundle, read_bundle
from export.manifest import BundleError
from export.runtime.adaptation import AdaptationOutcome, open_adaptation
from export.runtime.session import BoundGraph, check_signature, open_session
from export.verify import require_golden
from robots.contract import Contract, Signal
from robots.safety import Limiter, UnsafeCommand

__all__ = ["BadReading", "BundleError", "Policy", "UnsafeCommand"]

_RANGE_SLACK = 1e-6
"""Relative slack at the ends of a signal's range: a value at the edge may arrive rounded to single precision."""

_PLAIN, _FLOATS = (list, tuple), {float}
"""What a signal's values are as drivers give them; anything else is looked at by NumPy."""


class BadReading(ValueError):
    """A reading that must not reach the policy; the message names the signal, its value and what is valid."""


class Policy:
    """A bundle's policy on one robot: its memory, its limits, and what was last sent.

    Use one object for each robot, from one thread. `trials` counts those begun; `given` is what the last step read
    beside its memory, valid until the next.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Open a checked bundle and replay its golden trace; raises `BundleError` when this machine departs from it."""
        source = f"{bundle.source}: {STEP_GRAPH}"
        self.bundle, self.manifest = bundle, bundle.manifest
        self.contract: Contract = bundle.manifest.contract
        self._joints = self.contract.joint_names
        self._joint_set = frozenset(self._joints)
        session = open_session(bundle.files[STEP_GRAPH], source)
        check_signature(session, self.manifest.inputs, self.manifest.outputs, source)
        require_golden(bundle, session)
        self._graph = BoundGraph(session, self.manifest.inputs, self.manifest.outputs)
        self._initial = {state.name: state.start() for state in self.manifest.carry}
        self._per_episode = [state.name for state in self.manifest.carry if state.reset == "episode"]
        self._reader = _Reader(self.contract)
        self._limiter = Limiter(self.contract)
        self._scale, self._offset = np.array(self.contract.action.scale), np.array(self.contract.action.offset)
        self._warm_up()
        self._adaptation = open_adaptation(bundle)
        self.adaptations: list[AdaptationOutcome] = []
        self.trials = 0
        self._under_way = False
        self.given: dict[str, Any] = {}
        self.start_trial()

    @classmethod
    def load(cls, path: str | Path, public_key: str | Path | None = None) -> Policy:
        """Read a bundle, folder or zip, and make it ready to step; raises `BundleError`.

        With a public key, also where the bundle is not signed by it; nothing of the graph is opened before.
        """
        return cls(read_bundle(path, public_key))

    def start_trial(self) -> None:
        """Return memory to its initial values and the last command to the safe one; the next step starts an episode."""
        self.forget()
        self._limiter.reset()
        if self._adaptation:
            self._adaptation.start_trial()
        self.trials += 1
        self._trial_starts = self._episode_starts = True
        self._under_way = False

    def take_over(self, last_command: Mapping[str, float]) -> None:
        """Start a trial in the middle of a motion: blank memory, but limits that go on from what was sent last."""
        self.start_trial()
        self.sent(last_command)
        self._under_way = True

    def forget(self) -> None:
        """Return memory to its initial values; the last command and the episode stand."""
        for name, value in self._initial.items():
            self._graph.carry[name][...] = value

    def recall(self, memory: Mapping[str, np.ndarray]) -> None:
        """Put a memory back that `carry` gave; raises `BundleError` unless it is finite and of this policy's shape."""
        shapes = {name: value.shape for name, value in memory.items()}
        if shapes != {name: value.shape for name, value in self._initial.items()}:
            raise BundleError(f"the memory holds {shapes or 'nothing'}, which is not what this policy keeps")
        if not all(np.isfinite(value).all() for value in memory.values()):
            raise BundleError("the memory is not finite; it was not put back")
        for name, value in memory.items():
            self._graph.carry[name][...] = value

    def step(
        self,
        signals: Mapping[str, Sequence[float]],
        *,
        episode_start: bool = False,
        last_reward: float | None = None,
    ) -> dict[str, float]:
        """Return the command per joint, in the contract's unit, for one reading of all signals.

        With `episode_start` the last command becomes the safe one again; memory stays, but for states that reset every
        episode. `last_reward` is needed where the contract says so; at the start of a trial it counts as 0. Raises
        `BadReading` for a reading that is incomplete, not finite or out of range, and `UnsafeCommand` when the graph's
        own output is not finite; both leave the memory as it was, and an episode start stays due.
        """
        self._episode_starts = self._episode_starts or episode_start
        if self._adaptation:
            self._adaptation.paid(last_reward)
        obs = self._reader.read(signals)
        reward = self._reward(last_reward)
        if self._episode_starts:
            self.end_episode(last_reward)
            self._begin_episode()
        self._fill(obs, reward)
        self._graph.run()
        command = self._explored(obs, self._checked_output())
        self._graph.keep()
        self._trial_starts = self._episode_starts = False
        return dict(zip(self._joints, self._limiter(command), strict=True))

    def end_episode(self, last_reward: float | None = None) -> AdaptationOutcome | None:
        """Close an episode, with the reward that followed its last command; `step` does so where the next one starts.

        A policy that adapts does so now, where a batch of episodes is complete: returns what came of it, which
        `adaptations` keeps. A batch that is refused leaves the memory as it was.
        """
        if self._adaptation is None:
            return None
        self._adaptation.paid(last_reward)
        ended = self._adaptation.end_episode(self._graph.carry)
        if ended is None:
            return None
        outcome, memory = ended
        for name, value in memory.items():
            self._graph.carry[name][...] = value
        self.adaptations.append(outcome)
        return outcome

    def sent(self, command: Mapping[str, float]) -> None:
        """Tell the policy what the driver really sent [contract unit].

        It is the next `last_action`, and where the rate limit starts from. Without this call the command that `step`
        returned counts as sent. Raises `BadReading` for a missing or unknown joint or a value that is not finite.
        """
        if command.keys() != self._joint_set:
            _check_names("joint", command, self._joints)
        values = [float(command[name]) for name in self._joints]
        if not all(map(isfinite, values)):
            raise BadReading(f"the driver reports a command that is not finite: {dict(command)}")
        self._limiter.last = values

    @property
    def last_command(self) -> dict[str, float]:
        """What counts as sent last, per joint [contract unit]."""
        return dict(zip(self._joints, self._limiter.last, strict=True))

    @property
    def carry(self) -> dict[str, np.ndarray]:
        """A copy of the memory by state name, float32 `[1, *shape]`: for logs."""
        return {name: value.copy() for name, value in self.memory.items()}

    @property
    def memory(self) -> Mapping[str, np.ndarray]:
        """The memory itself, as the next step will find it; only to be read, and only until then."""
        return self._graph.carry

    def _reward(self, last_reward: float | None) -> float:
        if "last_reward" not in self._graph.inputs or self._trial_starts:
            return 0.0
        if last_reward is None or not isfinite(last_reward):
            raise BadReading(f"last_reward is {last_reward}; this policy needs the finite reward of every period")
        return float(last_reward)

    def _begin_episode(self) -> None:
        if not self._under_way:
            self._limiter.reset()
        self._under_way = False
        for name in self._per_episode:
            self._graph.carry[name][...] = self._initial[name]

    def _fill(self, obs: list[float], reward: float) -> None:
        self.given = {
            "obs": obs,
            "last_action": self._limiter.last,
            "last_reward": reward,
            "episode_start": float(self._episode_starts),
        }
        for name, array in self._graph.inputs.items():
            array[0] = self.given[name]

    def _checked_output(self) -> list[float]:
        """Return the graph's command; raises `UnsafeCommand` when it, or the memory made with it, is not finite."""
        action: list[float] = self._graph.outputs["action"][0].tolist()
        if not all(map(isfinite, action)):
            raise UnsafeCommand(f"the graph commands {action}; nothing was sent and its memory was kept")
        if (name := self._graph.broken_carry()) is not None:
            raise UnsafeCommand(f"the graph's next memory '{name}' is not finite; its memory was kept")
        return action

    def _explored(self, obs: list[float], command: list[float]) -> list[float]:
        """Return the command with the noise of a policy that will adapt on this episode."""
        if self._adaptation is None or not self._adaptation.explores:
            return command
        asked = self._adaptation.act(np.array(obs), (np.array(command) - self._offset) / self._scale)
        explored: list[float] = (self._offset + self._scale * asked.clip(-1, 1)).tolist()
        return explored

    def _warm_up(self) -> None:
        """Run both bindings, so that the first real step is as fast as the others."""
        for _ in range(4):
            self._graph.run()
            self._graph.keep()


class _Reader:
    """Turns named signals into the observation vector, or refuses them.

    Plain floats, because drivers give them: on so few numbers NumPy takes ten times as long.
    """

    def __init__(self, contract: Contract) -> None:
        self._signals = contract.signals
        self._names = frozenset(contract.signal_names)
        self._sizes = [(s.name, s.size) for s in contract.signals]
        ranges = [_accepted(signal) for signal in contract.signals for _ in range(signal.size)]
        self._low, self._high = [low for low, _ in ranges], [high for _, high in ranges]

    def read(self, signals: Mapping[str, Sequence[float]]) -> list[float]:
        """Return the observation, `obs_size` floats; raises `BadReading`."""
        if signals.keys() != self._names:
            _check_names("signal", signals, tuple(s.name for s in self._signals))
        obs: list[float] = []
        for name, size in self._sizes:
            values = signals[name]
            plain = type(values) in _PLAIN and len(values) == size and set(map(type, values)) == _FLOATS
            obs += values if plain else _numbers(name, size, values)
        # NaN compares false, so NaN is refused with infinities and what lies outside.
        if not (all(map(le, self._low, obs)) and all(map(le, obs, self._high))):
            self._refuse(obs)
        return obs

    def _refuse(self, obs: list[float]) -> None:
        values = iter(obs)
        for signal in self._signals:
            low, high = _accepted(signal)
            for i in range(signal.size):
                if not low <= (value := next(values)) <= high:
                    raise BadReading(
                        f"signal {signal.name}[{i}] is {value:g} {signal.unit}; "
                        f"valid is {signal.low:g} to {signal.high:g} {signal.unit}"
                    )


def _accepted(signal: Signal) -> tuple[float, float]:
    slack, single = _RANGE_SLACK * max(abs(signal.low), abs(signal.high)), float(np.finfo(np.float32).max)
    return max(signal.low - slack, -single), min(signal.high + slack, single)


def _numbers(name: str, size: int, values: Sequence[float]) -> list[float]:
    """Return anything that NumPy takes for `size` numbers as floats; raises `BadReading`."""
    try:
        array = np.asarray(values)
    except ValueError:  # ragged nesting
        array = np.empty(0)
    if array.shape != (size,) or array.dtype.kind not in "fiu":
        raise BadReading(f"signal {name} is {values!r}; expected {size} number{'s' if size > 1 else ''}")
    numbers: list[float] = array.astype(float).tolist()
    return numbers


def _check_names(what: str, given: Mapping[str, object], expected: tuple[str, ...]) -> None:
    """Raise `BadReading` unless exactly the expected names are given."""
    for name in given:
        if name not in expected:
            raise BadReading(f"unknown {what} '{name}'; {nearest(str(name), expected)}")
    for name in expected:
        if name not in given:
            raise BadReading(f"missing {what} '{name}'; given: {', '.join(given) or 'none'}")
