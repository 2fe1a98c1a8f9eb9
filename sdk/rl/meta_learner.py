"""Learning to adapt by gradient: the base of every method that differentiates through an inner step.

    for each iteration:
        play N trials: batches 0 … K of episodes, the policy adapting after each but the last
        φ₀ = 0;  φ_{k+1} ← φ_k + α ∇ inner objective(θ, φ_k; batch k), as a function of θ
        outer objective ← what batch K earned with φ_K, again as a function of θ
        step along its gradient by θ, as far as the policy's distribution may move on batch K (TRPO), or by Adam

What a method changes is the inner objective, the outer one, or what adapts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sdk.nn.adapting import AdaptingPolicy, InnerObjective, on_policy
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import Episodes, batches, masked_mean
from sdk.rl.meta_settings import MetaConfig
from sdk.rl.rollout import Rollout
from sdk.rl.surrogates import clipped_ratio, likelihood_ratio
from sdk.rl.trust_region import curvature, flat_gradient, line_search, longest_step


class Trials(NamedTuple):
    """What an update learns from: the batches that were adapted on, the last one, and what is fixed about them.

    `played` are the distributions that acted in the batches of `support`, `old` the one that acted in the last.
    """

    support: list[Episodes]
    played: list[ActionDistribution]
    query: Episodes
    old: ActionDistribution
    advantage: Tensor


def retrace(
    policy: AdaptingPolicy,
    support: list[Episodes],
    now: Tensor,
    objective: Callable[[ActionDistribution], InnerObjective],
) -> tuple[list[ActionDistribution], Tensor]:
    """Return how each batch was played, from `now` `[N, P]` on, and what had been adapted after the last of them."""
    played = []
    for episodes in support:
        with torch.no_grad():
            played.append(policy.actions(episodes, now).detach())
        now = policy.adapted_by(episodes, now, objective(played[-1]), first_order=True).detach()
    return played, now


def ratio_to(before: Callable[[Tensor], Tensor]) -> InnerObjective:
    """Return the ratio to how likely actions were when played, times advantages: right for weights moved since, too."""

    def objective(log_prob: Tensor, advantage: Tensor, episodes: Episodes) -> Tensor:
        return likelihood_ratio(log_prob, before(episodes.action), advantage, episodes.mask)

    return objective


def world_numbers(iteration: int, trials: int, worlds: int | None) -> list[int]:
    """Return the number of the world of each trial of an iteration: trial i is of world i mod `worlds`."""
    played = range(iteration * trials, (iteration + 1) * trials)
    return [trial % worlds if worlds else trial for trial in played]


class MetaLearner:
    """The outer loop. `inner_objective` and `outer_objective` are what methods replace."""

    def __init__(self, policy: AdaptingPolicy, settings: MetaConfig) -> None:
        self.policy, self.settings = policy, settings
        self.parameters = [p for p in policy.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.lr)

    def cut(self, rollout: Rollout) -> list[Episodes]:
        """Return the batches to adapt on, and last the one that the shared weights answer for."""
        return batches(rollout, self.settings.rollouts, self.settings.inner_steps + 1)

    def start(self, count: int) -> Tensor:
        """Return φ₀ `[count, P]` of an update's first trials, as a function of what is learned: nothing is adapted."""
        return self.policy.blank(count)

    def inner_objective(self, played: ActionDistribution) -> InnerObjective:
        """Return what each task maximises on a batch of episodes that `played` acted in."""
        return on_policy

    def outer_objective(self, trials: Trials, actions: ActionDistribution, states: list[Tensor]) -> Tensor:
        """Return what each task contributes `[N]`, with `actions` in its last batch and φ₀ … φ_K adapted."""
        query = trials.query
        log_prob, old = actions.log_prob(query.action), trials.old.log_prob(query.action)
        return clipped_ratio(log_prob, old, trials.advantage, self.settings.clip, query.mask)

    def adapted(self, trials: Trials) -> list[Tensor]:
        """Return φ₀ … φ_K `[N, P]` as functions of the shared weights."""
        states = [self.start(trials.advantage.shape[1])]
        for episodes, played in zip(trials.support, trials.played, strict=True):
            objective = self.inner_objective(played)
            states.append(self.policy.adapted_by(episodes, states[-1], objective, self.settings.first_order))
        return states

    def objective(self, trials: Trials) -> tuple[Tensor, Tensor]:
        """Return what the shared weights maximise, and how far the adapted policies moved from the old ones (KL)."""
        states = self.adapted(trials)
        actions = self.policy.actions(trials.query, states[-1])
        surrogate = self.outer_objective(trials, actions, states).mean()
        if self.settings.early_weight:
            surrogate = surrogate + self.settings.early_weight * self.earned_early(trials, states).mean()
        return surrogate, masked_mean(trials.old.kl(actions), trials.query.mask).mean()

    def earned_early(self, trials: Trials, states: list[Tensor]) -> Tensor:
        """Return what each task contributes `[N]` by the batches that were adapted on: the ratio in each, summed."""
        earned = torch.zeros(trials.advantage.shape[1])
        for episodes, old, state in zip(trials.support, trials.played, states[:-1], strict=True):
            log_prob = self.policy.actions(episodes, state).log_prob(episodes.action)
            advantage = self.policy.advantages(episodes).detach()
            before = old.log_prob(episodes.action)
            earned = earned + clipped_ratio(log_prob, before, advantage, self.settings.clip, episodes.mask)
        return earned

    def divergence(self, trials: Trials) -> Tensor:
        """Return 0, with the second derivatives of how far the adapted policies move: TRPO's curvature.

        It looks at a few episodes of each batch, and at policies that have adapted on these alone. A step of the shared
        weights moves an adapted policy through its inner gradient, too: with that fixed, steps come out far too long.
        """
        few = self.settings.curvature_episodes
        support, query = [episodes.first(few) for episodes in trials.support], trials.query.first(few)
        played = [p.at(torch.arange(len(e.mask))) for p, e in zip(trials.played, support, strict=True)]
        actions = self.policy.actions(query, self.adapted(trials._replace(support=support, played=played))[-1])
        return masked_mean(actions.detach().kl(actions), query.mask).mean()

    def trials(self, rollout: Rollout) -> tuple[Trials, Tensor]:
        """Return what the first K + 1 batches of each trial tell, and φ_K `[N, P]` as it was."""
        *support, query = self.cut(rollout)
        start = self.start(query.reward.shape[1]).detach()
        played, last = retrace(self.policy, support, start, self.inner_objective)
        with torch.no_grad():
            old = self.policy.actions(query, last).detach()
            return Trials(support, played, query, old, self.policy.advantages(query)), last

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the shared weights on the first K + 1 batches of each trial."""
        trials, last = self.trials(rollout)
        statistics = self._trust_region(trials) if self.settings.outer == "trpo" else self._descend(trials)
        self.policy.observe(rollout)
        return {**statistics, **earned([*trials.support, trials.query], last)}

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over an optimiser's state."""
        self.optimizer.load_state_dict(state["optimizer"])

    def _trust_region(self, trials: Trials) -> dict[str, float]:
        of = self.settings
        surrogate, kl = self.objective(trials)
        gradient = flat_gradient(surrogate, self.parameters)
        product = curvature(self.divergence(trials), self.parameters, of.cg_damping)
        step = longest_step(product, gradient, of.max_kl, of.cg_iterations)
        start, evaluate = (float(surrogate.detach()), float(kl.detach())), partial(self._measured, trials)
        limits = {"max_kl": of.max_kl, "backtracks": of.backtracks, "ratio": of.backtrack_ratio}
        tried, (gained, moved) = line_search(self.parameters, step, evaluate, start, **limits)  # type: ignore[arg-type]
        return {"surrogate": gained, "kl": moved, "grad_norm": float(gradient.norm()), "backtracks": float(tried)}

    def _descend(self, trials: Trials) -> dict[str, float]:
        for _ in range(self.settings.outer_steps):
            surrogate, _ = self.objective(trials)
            self.optimizer.zero_grad(set_to_none=True)
            (-surrogate).backward()
            norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.inner_max_norm)
            self.optimizer.step()
        gained, moved = self._measured(trials)
        return {"surrogate": gained, "kl": moved, "grad_norm": float(norm)}

    def _measured(self, trials: Trials) -> tuple[float, float]:
        with torch.no_grad():
            surrogate, kl = self.objective(trials)
        return float(surrogate), float(kl)


def earned(played: list[Episodes], adapted: Tensor) -> dict[str, float]:
    """Return the mean return of an episode of each batch, and how far the tasks moved in the end."""
    returns = {f"batch_{k}": _episode_return(batch) for k, batch in enumerate(played)}
    return {**returns, "inner_norm": float(adapted.norm(dim=-1).mean())}


def _episode_return(batch: Episodes) -> float:
    episodes = ((batch.time == 0) * batch.mask).sum()
    return float((batch.reward * batch.mask).sum() / episodes.clamp(min=1))
