"""Learning to adapt by gradient: the base of every method that differentiates through an inner step.

    for each iteration:
        play N trials: batches 0 … K of episodes, the policy adapting after each but the last
        φ₀ = 0;  φ_{k+1} ← φ_k + α ∇ inner objective(θ, φ_k; batch k), as a function of θ
        outer objective ← what batch K earned with φ_K, again as a function of θ
        step along its gradient by θ, as far as the policy's distribution may move on batch K (TRPO), or by Adam

What a method changes is the inner objective, the outer one, or what adapts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.schema import ConfigError, Schema
from sdk.nn.adapting import AdaptationRule, AdaptingPolicy, InnerObjective, on_policy
from sdk.rl.distributions import ActionDistribution
from sdk.rl.episodes import Episodes, batches, masked_mean
from sdk.rl.rollout import Rollout
from sdk.rl.surrogates import likelihood_ratio
from sdk.rl.trust_region import curvature, flat_gradient, line_search, longest_step

if TYPE_CHECKING:
    from robots.trial import WorldShape
    from sdk.config import TrainConfig


class MetaConfig(Schema):
    """Settings of every method that adapts by gradient."""

    rollouts: int = Field(default=20, ge=1, description="episodes that the policy adapts on at a time")
    inner_steps: int = Field(default=1, ge=1, description="times it adapts in a trial while training")
    adaptations: int | None = Field(
        default=None, ge=1, description="times it adapts in a trial once trained; none: as in training"
    )
    inner_lr: float = Field(default=0.1, gt=0, description="length of an inner step for a gradient of norm 1")
    inner_max_norm: float = Field(default=10.0, gt=0, description="longer inner gradients are shortened to this")
    first_order: bool = Field(default=False, description="treat inner gradients as constants")
    gamma: float = Field(default=0.99, gt=0, le=1)
    gae_lambda: float = Field(default=1.0, ge=0, le=1)
    outer: Literal["trpo", "adam"] = "trpo"
    lr: float = Field(default=1e-3, gt=0, description="step size of Adam")
    outer_steps: int = Field(default=5, ge=1, description="Adam's steps on the trials of an iteration")
    max_kl: float = Field(default=0.01, gt=0, description="mean divergence of a TRPO step")
    cg_iterations: int = Field(default=10, ge=1)
    cg_damping: float = Field(default=1e-5, ge=0)
    backtracks: int = Field(default=15, ge=1)
    backtrack_ratio: float = Field(default=0.8, gt=0, lt=1)
    curvature_tasks: int = Field(default=10, ge=1, description="trials of an iteration that TRPO's curvature looks at")

    def rule(self) -> AdaptationRule:
        """Return when and how a policy adapts once it is trained."""
        return AdaptationRule(
            every=self.rollouts,
            rounds=self.adaptations or self.inner_steps,
            lr=self.inner_lr,
            max_norm=self.inner_max_norm,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
        )


def played(config: TrainConfig, shape: WorldShape) -> int:
    """Return the control steps of a trial that training plays; raises `ConfigError` where a trial is too short."""
    from sdk.algos.base import find_algorithm

    settings = find_algorithm(config.algo).settings.parse(config.method, "method")
    assert isinstance(settings, MetaConfig)
    needed = (settings.inner_steps + 1) * settings.rollouts
    there = shape.trial_steps // shape.episode_steps
    if needed > there:
        raise ConfigError(
            f"method.inner_steps = {settings.inner_steps} and rollouts = {settings.rollouts} take {needed} episodes, "
            f"and a trial has {there}"
        )
    return needed * shape.episode_steps


class Trials(NamedTuple):
    """What an update learns from: the batches that were adapted on, the last one, and what is fixed about it."""

    support: list[Episodes]
    query: Episodes
    old: ActionDistribution
    advantage: Tensor

    def of_tasks(self, count: int) -> Trials:
        """Return the first `count` trials."""
        support = [episodes.of_tasks(count) for episodes in self.support]
        return Trials(support, self.query.of_tasks(count), self.old.of_tasks(count), self.advantage[:, :count])


class MetaLearner:
    """The outer loop. `inner_objective` and `objective` are what methods replace."""

    def __init__(self, policy: AdaptingPolicy, settings: MetaConfig) -> None:
        self.policy, self.settings = policy, settings
        self.parameters = [p for p in policy.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.lr)

    def inner_objective(self) -> InnerObjective:
        """Return what each task maximises on its batch of episodes."""
        return on_policy

    def adapted(self, support: list[Episodes]) -> list[Tensor]:
        """Return φ₀ … φ_K `[N, P]` as functions of the shared weights."""
        (now,) = self.policy.initial_carry(support[0].reward.shape[1])
        states = [now]
        for episodes in support:
            now = self.policy.adapted_by(episodes, now, self.inner_objective(), self.settings.first_order)
            states.append(now)
        return states

    def objective(self, trials: Trials) -> tuple[Tensor, Tensor]:
        """Return what the shared weights maximise, and how far the adapted policies moved from the old ones (KL)."""
        query = trials.query
        actions = self.policy.actions(query.obs, self.adapted(trials.support)[-1])
        log_prob, old = actions.log_prob(query.action), trials.old.log_prob(query.action)
        surrogate = likelihood_ratio(log_prob, old, trials.advantage, query.mask).mean()
        return surrogate, masked_mean(trials.old.kl(actions), query.mask).mean()

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the shared weights on the first K + 1 batches of each trial."""
        *support, query = batches(rollout, self.settings.rollouts, self.settings.inner_steps + 1)
        states = [state.detach() for state in self.adapted(support)]
        with torch.no_grad():
            old = self.policy.actions(query.obs, states[-1]).detach()
            trials = Trials(support, query, old, self.policy.advantages(query))
        statistics = self._trust_region(trials) if self.settings.outer == "trpo" else self._descend(trials)
        self.policy.observe(rollout)
        earned = {f"batch_{k}": _episode_return(batch) for k, batch in enumerate([*support, query])}
        moved = {"inner_norm": float(states[-1].norm(dim=-1).mean())}
        return {**statistics, **earned, **moved}

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over an optimiser's state."""
        self.optimizer.load_state_dict(state["optimizer"])

    def _trust_region(self, trials: Trials) -> dict[str, float]:
        of = self.settings
        surrogate, _ = self.objective(trials)
        gradient = flat_gradient(surrogate, self.parameters)
        _, kl = self.objective(trials.of_tasks(of.curvature_tasks))
        step = longest_step(curvature(kl, self.parameters, of.cg_damping), gradient, of.max_kl, of.cg_iterations)
        limits = {"max_kl": of.max_kl, "backtracks": of.backtracks, "ratio": of.backtrack_ratio}
        tried = line_search(self.parameters, step, lambda: self._measured(trials), **limits)  # type: ignore[arg-type]
        gained, moved = self._measured(trials)
        return {
            "surrogate": gained,
            "kl": moved,
            "grad_norm": float(gradient.norm()),
            "backtracks": float(of.backtracks if tried is None else tried),
        }

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


def _episode_return(batch: Episodes) -> float:
    episodes = ((batch.time == 0) * batch.mask).sum()
    return float((batch.reward * batch.mask).sum() / episodes.clamp(min=1))
