"""Bernoulli bandits: the Bayes optimum, the finite-horizon Gittins index policy, Thompson sampling.

| computation           | how                                                                                        |
|-----------------------|--------------------------------------------------------------------------------------------|
| `bayes_optimal`       | exact: dynamic programming over the multiset of all arms' (successes, failures)            |
| `gittins_indices`     | the price at which another pull, then stopping at will, is worth nothing (Kaufmann 2018)    |
| `Gittins`, `Thompson` | played; the index policy is near-optimal, not proven to be the optimum                     |
| `WinStay`             | played; the most that a policy reads out of its last action and reward alone               |
"""

from __future__ import annotations

from functools import cache

import numpy as np

from robots.trial import TrialStep
from sdk.toys.bandit import BanditSettings, BanditTrials
from sdk.toys.base import ToyTrials
from sdk.toys.references.base import Blind, Known, Random, one_hot, play

Arm = tuple[int, int]
"""Successes and failures of one arm."""

EXACT_UP_TO = 12
"""Pulls for which the optimum is worked out in about a second."""


def bayes_optimal(pulls: int, arms: int) -> float:
    """Return the largest expected total reward of n pulls of k arms whose chances are uniform."""

    @cache
    def value(pulled: tuple[Arm, ...], left: int) -> float:
        if left == 0:
            return 0.0
        choices = {*pulled, (0, 0)} if len(pulled) < arms else set(pulled)
        return max(pull(pulled, arm, left) for arm in choices)

    def pull(pulled: tuple[Arm, ...], arm: Arm, left: int) -> float:
        good, bad = arm
        rest = list(pulled)
        if good + bad:
            rest.remove(arm)
        won, lost = (tuple(sorted([*rest, after])) for after in ((good + 1, bad), (good, bad + 1)))
        chance = (good + 1) / (good + bad + 2)
        return chance * (1 + value(won, left - 1)) + (1 - chance) * value(lost, left - 1)

    return value((), pulls)


def gittins_indices(pulls: int, prices: int = 101) -> list[np.ndarray]:
    """Return index tables: entry `left` holds `[successes, failures]` for an arm with so many pulls left.

    Backward over pulls left, for a grid of prices at once; the price that makes a pull worth nothing is interpolated.
    """
    price = np.linspace(0, 1, prices, dtype=np.float32)[:, None, None]
    stopped_value = np.zeros((prices, pulls + 1, pulls + 1), dtype=np.float32)
    tables = [np.zeros((1, 1), dtype=np.float32)]
    for left in range(1, pulls + 1):
        size = pulls - left + 1
        good, bad = np.ogrid[:size, :size]
        chance = ((good + 1) / (good + bad + 2)).astype(np.float32)
        won, lost = stopped_value[:, 1 : size + 1, :size], stopped_value[:, :size, 1 : size + 1]
        pull = chance * (won - lost) + lost + (chance - price)
        tables.append(_root(pull, price[:, 0, 0]))
        stopped_value = np.maximum(pull, 0)
    return tables


def _root(pull: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Return where the falling functions `pull` `[P, …]` of `price` `[P]` cross zero."""
    last = np.clip((pull >= 0).sum(0) - 1, 0, len(price) - 2)
    above, below = (np.take_along_axis(pull, i[None], 0)[0] for i in (last, last + 1))
    return price[last] + above / (above - below) * (price[1] - price[0])


class _Counting(Blind):
    """Keeps successes and failures of every arm, `[N, k]`."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        self.good = np.zeros((len(worlds.obs()), worlds.action_size), dtype=np.int64)
        self.bad = self.good.copy()
        self.left = worlds.trial_steps

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return one_hot(self.score().argmax(-1), self.worlds.action_size)

    def learn(self, step: TrialStep) -> None:
        pulled = step.sent_action.astype(np.int64)
        won = (step.reward > 0)[:, None]
        self.good += pulled * won
        self.bad += pulled * ~won
        self.left -= 1

    def score(self) -> np.ndarray:
        """Return what to maximise, `[N, k]`."""
        raise NotImplementedError


class Gittins(_Counting):
    """Pull the arm of the largest finite-horizon index."""

    def __init__(self, indices: list[np.ndarray]) -> None:
        self._indices = indices

    def score(self) -> np.ndarray:
        return self._indices[self.left][self.good, self.bad]


class Thompson(_Counting):
    """Pull the arm that is best in a draw from the posterior (Thompson 1933)."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def score(self) -> np.ndarray:
        return self._rng.beta(self.good + 1, self.bad + 1)


class WinStay(_Counting):
    """Pull the same arm after a success, the next one after a failure: what takes no memory."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        self._favoured = np.zeros_like(self.good)
        self._favoured[:, 0] = 1

    def learn(self, step: TrialStep) -> None:
        won = step.reward[:, None] > 0
        self._favoured = np.where(won, step.sent_action, np.roll(step.sent_action, 1, axis=-1))

    def score(self) -> np.ndarray:
        return self._favoured


def references(settings: BanditSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return what is known of these bandits; `optimal` is there where it can be worked out exactly."""
    worlds = BanditTrials(settings, tasks, seed=seed, stream="references")
    players = {
        "gittins": Gittins(gittins_indices(settings.pulls)),
        "thompson": Thompson(seed),
        "win_stay": WinStay(),
        "random": Random(seed),
    }
    known = {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
    if settings.pulls <= EXACT_UP_TO:
        known["optimal"] = Known((bayes_optimal(settings.pulls, settings.arms),))
    return known
