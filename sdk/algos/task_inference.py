"""Task inference: a belief learned from true contexts, a policy that acts on it (Humplik et al. 2019).

    for each trial: draw a task
        for each step: memory ← GRU(obs, last action, [last reward,] episode start; memory)
                       belief (μ, log σ²) over the true context ← memory;  act on obs, μ and log σ²
    improve the sum of rewards over the trial with PPO, beliefs held fixed
    keep the trials;  a few times: descend −log N(true context; μ_t, σ_t²), mean over steps

| equation                                              | where                                             |
|-------------------------------------------------------|---------------------------------------------------|
| belief network b(w | τ_:t) (section 3.2)              | `sdk.nn.beliefs.BeliefEncoder`                    |
| log-likelihood of the privileged description (eq. 6)  | `context_log_prob`                                |
| π(a | s, belief), no gradient to it (section 3.3)     | `VaribadPolicy.informed`, `sdk.rl.ppo`            |

The context is known in simulation alone; what leaves for a robot infers it. variBAD's policy with another teacher: what
its decoders foretell, this one is told.

Deviations: PPO alone. Mean and variance of the belief are the features; no information bottleneck.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm, Sizes
from sdk.algos.varibad import VaribadPolicy, VaribadSettings
from sdk.config import TrainConfig
from sdk.nn.beliefs import Belief
from sdk.rl.objectives import gaussian_log_prob
from sdk.rl.ppo import Ppo
from sdk.rl.rollout import Rollout
from sdk.rl.trial_model import BesidePpo, TrialModel, TrialModelSettings


class TaskInferenceConfig(TrialModelSettings):
    """The keys under `method`."""

    embedding: int = Field(default=32, ge=1, description="units between the inputs and the encoder's memory")


class TaskInference(BesidePpo):
    """PPO on the actor-critic, and the belief with an optimiser and a buffer of its own."""

    def __init__(self, policy: VaribadPolicy, config: TrainConfig) -> None:
        settings = TaskInferenceConfig.parse(config.method, "method")
        self.policy = policy
        self.ppo = Ppo(policy.actor_critic, config.ppo, "trial", config.seed)
        self.model = TrialModel("task_inference", policy.encoder.parameters(), self.loss, settings, config)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy for the beliefs it acted on, then the beliefs."""
        informed, _ = self.policy.informed(rollout, self.policy.initial_carry(rollout.reward.shape[1]))
        statistics = self.ppo.update(informed, iteration, progress)
        self.policy.encoder.normalizer.update(rollout.obs)
        return {**statistics, **self.model.learn(rollout, iteration, progress)}

    def loss(self, trials: Rollout, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return minus the log-likelihood of contexts, and what is known of them on average and at the end."""
        beliefs, _ = self.policy.encoder.unroll(trials, self.policy.initial_carry(trials.reward.shape[1]))
        log_prob = context_log_prob(beliefs, trials.context).mean()
        missed = (beliefs.mean[-1] - trials.context[-1]).detach().square().mean().sqrt()
        return -log_prob, {"context_log_prob": log_prob.item(), "context_error": float(missed)}


def context_log_prob(beliefs: Belief, context: Tensor) -> Tensor:
    """Return log N(context; μ, σ²) `[…]` in nats of beliefs and contexts `[…, C]` (eq. 6)."""
    return gaussian_log_prob(context, beliefs.mean, 0.5 * beliefs.log_var)


def build(sizes: Sizes, config: TrainConfig) -> VaribadPolicy:
    """Build π(a | s, belief over the context). Raises `ConfigError` where no context is hidden."""
    settings = TaskInferenceConfig.parse(config.method, "method")
    sizes.need_context("task_inference", "a belief could be about")
    inner = VaribadSettings(latent=sizes.context, embedding=settings.embedding)
    return VaribadPolicy(sizes, config.policy, inner)


def learner(policy: nn.Module, config: TrainConfig) -> TaskInference:
    """Return what improves actor-critic and beliefs, each by its own objective."""
    assert isinstance(policy, VaribadPolicy)
    return TaskInference(policy, config)


ALGORITHM = Algorithm(
    "task_inference",
    "Humplik et al. 2019",
    "acts on a belief about the true context",
    True,
    build,
    learner,
    TaskInferenceConfig,
)
