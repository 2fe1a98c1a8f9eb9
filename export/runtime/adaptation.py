"""Adaptation between episodes, on the robot: keep what was played, run the adapt graph, accept what it made or not.

A batch of episodes that holds anything that training never showed, or that would move the memory further than training
ever did, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import onnxruntime as ort

from export.bundle import Bundle
from export.golden_adaptation import open_adapt_graph
from export.manifest import ADAPTED, AdaptationSpec, CarryState


@dataclass(frozen=True)
class AdaptationOutcome:
    """One round: after which episode of the trial, whether it was accepted and if not why, how far it moved."""

    episode: int
    accepted: bool
    reason: str
    step_norm: float
    milliseconds: float


class Adaptation:
    """What a policy needs besides its step graph to adapt on one robot."""

    def __init__(
        self, session: ort.InferenceSession, spec: AdaptationSpec, carry: tuple[CarryState, ...], seed: int = 0
    ) -> None:
        """Take over a graph that has been checked against the memory it is for."""
        self._session, self.spec = session, spec
        self._names, self._seed = tuple(state.name for state in carry), seed
        self.trials = self._now = 0
        self.start_trial()

    def start_trial(self) -> None:
        """Forget all episodes; the noise of each trial is its own, and the same in every run."""
        self.episode = self.rounds = 0
        self._rng = np.random.default_rng([self._seed, self.trials])
        self.trials += 1
        self._forget()

    @property
    def explores(self) -> bool:
        """Whether the episodes played now will be adapted on."""
        return self.rounds < self.spec.rounds

    def act(self, obs: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Return the normalised action `[joints]` with the noise that exploration needs, and remember it."""
        if not self.explores:
            return action
        asked = action + np.array(self.spec.exploration) * self._rng.standard_normal(len(action))
        if len(self._obs) < self.spec.max_steps:
            self._obs.append(obs.astype(np.float32))
            self._action.append(asked.astype(np.float32))
            self._time.append(self._now)
        self._now += 1
        return asked

    def paid(self, reward: float | None) -> None:
        """Take in the reward that followed the last action; None or NaN spoils the batch."""
        if len(self._reward) < len(self._obs):
            self._reward.append(np.nan if reward is None else reward)

    def end_episode(self, carry: Mapping[str, np.ndarray]) -> tuple[AdaptationOutcome, dict[str, np.ndarray]] | None:
        """Close the episode; where that completes a batch, return what came of it and the memory to go on with."""
        if self._now == 0:
            return None
        self.episode += 1
        self._now = 0
        if not self.explores or self.episode % self.spec.every:
            return None
        began = perf_counter()
        now = {name: carry[name].copy() for name in self._names}
        self.rounds += 1
        reason, made = self._try(now)
        moved = _distance(made, now) if made else 0.0
        self._forget()
        outcome = AdaptationOutcome(self.episode, not reason, reason, moved, 1000 * (perf_counter() - began))
        return outcome, now if reason else made

    def _try(self, carry: dict[str, np.ndarray]) -> tuple[str, dict[str, np.ndarray]]:
        """Return why a batch is refused, or nothing, and the memory that came of it."""
        if len(self._obs) >= self.spec.max_steps:
            return f"the episodes have more than {self.spec.max_steps} control periods", {}
        low, high = self.spec.reward
        reward = np.array(self._reward, dtype=np.float32)
        if len(reward) < len(self._obs) or not np.isfinite(reward).all():
            return "a reward is missing or not finite", {}
        if reward.min() < low or reward.max() > high:
            return f"a reward of {reward[np.abs(reward).argmax()]:g} is not within {low:g} to {high:g}", {}
        names = [f"next_{name}" for name in self._names]
        made = dict(zip(self._names, self._session.run(names, self._given(reward, carry)), strict=True))
        if not all(np.isfinite(value).all() for value in made.values()):
            return "the adapted memory is not finite", {}
        if (moved := _distance(made, carry)) > self.spec.step_norm:
            return f"the memory would move by {moved:g}, more than {self.spec.step_norm:g}", made
        return "", made

    def _given(self, reward: np.ndarray, carry: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {
            "obs": np.stack(self._obs)[:, None],
            "action": np.stack(self._action)[:, None],
            "reward": reward[:, None],
            "time": np.array(self._time, dtype=np.float32)[:, None],
            "mask": np.ones((len(reward), 1), dtype=np.float32),
            **{f"carry_{name}": carry[name] for name in self._names},
        }

    def _forget(self) -> None:
        self._now = 0
        self._obs: list[np.ndarray] = []
        self._action: list[np.ndarray] = []
        self._reward: list[float] = []
        self._time: list[int] = []


def open_adaptation(bundle: Bundle) -> Adaptation | None:
    """Open a bundle's adapt graph and replay its golden adaptation; none where the policy does not adapt.

    Raises `BundleError` when this machine departs from it.
    """
    spec = bundle.manifest.adaptation
    return None if spec is None else Adaptation(open_adapt_graph(bundle), spec, bundle.manifest.carry)


def _distance(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    return float(np.linalg.norm((one[ADAPTED] - other[ADAPTED]).astype(np.float64)))
