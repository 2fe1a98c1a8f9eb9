"""Random tabular MDPs: the known-task oracle, and posterior sampling (PSRL, Osband et al. 2013).

| computation | how |
|---|---|
| `plan` | backward induction over one episode, for many MDPs at once; exact |
| `oracle` | the plan's value in the true MDP, averaged over tasks: the only sampling error is which tasks were drawn |
| `Psrl` | each episode: draw an MDP from the conjugate posterior, play its plan |
"""

from __future__ import annotations

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.references.base import Blind, Known, Random, one_hot, play
from sdk.toys.tabular_mdp import ACTIONS, STATES, TabularSettings, TabularTrials, action_values


def plan(mean_reward: np.ndarray, transition: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best actions `[STEPS, N, S]` and the value `[N]` of an episode from state 0.

    `mean_reward` is `[N, S, A]`, `transition` `[N, S, A, S]`.
    """
    worth = action_values(mean_reward, transition)
    return worth.argmax(-1), worth[0, :, 0].max(-1)


class Psrl(Blind):
    """Play the plan of an MDP drawn from the posterior, a new one each episode.

    The rewards' prior is N(`prior_mean`, 1). The truth is 1; with 0, untried actions look poor and less is explored,
    which pays in short trials and gives the figure that Duan et al. (2016) report.
    """

    def __init__(self, prior_mean: float = 1.0, seed: int = 0) -> None:
        self._prior_mean, self._rng = prior_mean, np.random.default_rng(seed)

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        count = len(worlds.obs())
        self._places = np.arange(count)
        self._visits = np.zeros((count, STATES, ACTIONS))
        self._reward_sum = np.zeros_like(self._visits)
        self._arrivals = np.zeros((count, STATES, ACTIONS, STATES))

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        if episode_start:
            self._plan, self._t = self._draw(), 0
        self._state = obs.argmax(-1)
        return one_hot(self._plan[self._t, self._places, self._state], ACTIONS)

    def learn(self, step: TrialStep) -> None:
        here = self._places, self._state, step.sent_action.argmax(-1)
        self._visits[here] += 1
        self._reward_sum[here] += step.reward
        self._arrivals[(*here, step.final_obs.argmax(-1))] += 1
        self._t += 1

    def _draw(self) -> np.ndarray:
        """Return the plan of an MDP from the posterior: normal mean rewards, Dirichlet transitions."""
        precision = 1 + self._visits
        spread = self._rng.standard_normal(precision.shape) / np.sqrt(precision)
        weight = self._rng.standard_gamma(1 + self._arrivals)
        reward = (self._prior_mean + self._reward_sum) / precision + spread
        return plan(reward, weight / weight.sum(-1, keepdims=True))[0]


def oracle(settings: TabularSettings, tasks: int, seed: int) -> Known:
    """Return what playing every task's own plan is worth in expectation."""
    worlds = TabularTrials(settings, tasks, seed=seed, stream="references")
    worlds.begin(range(tasks))
    _, value = plan(worlds.mean_reward, worlds.transition)
    return Known.of(np.repeat(value[:, None], settings.episodes, axis=1))


def references(settings: TabularSettings, tasks: int = 1000, seed: int = 0) -> dict[str, Known]:
    """Return the oracle, posterior sampling and random play."""
    worlds = TabularTrials(settings, tasks, seed=seed, stream="references")
    players = {
        "posterior_sampling": Psrl(seed=seed),
        "posterior_sampling_low_prior": Psrl(prior_mean=0.0, seed=seed),
        "random": Random(seed),
    }
    known = {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
    return {"oracle": oracle(settings, tasks, seed), **known}
