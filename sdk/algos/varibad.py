"""variBAD: infer a belief about the task by variational inference, act on the belief (Zintgraf et al. 2020).

    for each trial: draw a task; the belief is N(0, I)
        for each step: memory ← GRU(obs, last action, [last reward,] episode start; memory)
                       belief (μ, log σ²) ← memory;  act on obs, μ and log σ²
    improve the sum of rewards over the trial with PPO, beliefs held fixed
    keep the trials;  a few times: z_t ~ q_t for each t;  ascend  log p(the whole trial | z_t) − KL(q_t ‖ q_{t−1})

| equation (sections 3.1 and 3.2)                         | where                                            |
|---------------------------------------------------------|--------------------------------------------------|
| q(m | τ_:t), from the prior N(0, I) on                  | `sdk.nn.beliefs.BeliefEncoder`                   |
| log p(τ_:H | m), past and future                        | `sdk.nn.decoders.TrialDecoder.log_likelihood`    |
| KL to the previous posterior                            | `sdk.rl.elbo.chain_kl`                           |
| ELBO_t, and its mean over t                             | `sdk.rl.elbo.elbo`                               |
| π(a | s, q(m | τ_:t)), no gradient to q                 | `VaribadPolicy.informed`, `sdk.rl.ppo`           |

Deviations: one embedding for all inputs. The critic sees the true context. The step size of the variational model falls
as that of PPO does. Decoded are the rewards where the last reward is an input, and otherwise the motion.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from sdk.algos.base import Algorithm, Sizes
from sdk.config import PolicyConfig, TrainConfig
from sdk.nn.beliefs import Belief, BeliefEncoder
from sdk.nn.decoders import RewardKind, TrialDecoder
from sdk.nn.normalizer import Normalizer
from sdk.nn.policies import MlpPolicy
from sdk.rl.elbo import chain_kl, elbo
from sdk.rl.ppo import Ppo
from sdk.rl.rollout import Carry, Rollout
from sdk.rl.trial_model import BesidePpo, TrialModel, TrialModelSettings

COLLAPSED_NATS, PATIENCE = 0.01, 200
"""A belief that moves less than this in a trial, in every dimension, after so many updates, says nothing."""


class VaribadSettings(TrialModelSettings):
    """The keys under `method`."""

    latent: int = Field(default=5, ge=1, description="dimensions of the belief")
    embedding: int = Field(default=32, ge=1, description="units between the inputs and the encoder's memory")
    elbo_terms: int | None = Field(default=16, ge=1, description="beliefs of a trial to decode from; none: all")
    kl_weight: float = Field(default=0.1, ge=0)
    decoder_hidden: tuple[int, ...] = Field(default=(32, 32), min_length=1)
    decode_reward: bool | None = Field(default=None, description="foretell rewards; none: where they are an input")
    decode_motion: bool | None = Field(default=None, description="foretell observations; none: where rewards are not")
    reward: RewardKind = Field(default="gaussian", description="bernoulli: whether the reward exceeds one half")
    decode_late: bool = Field(default=False, description="decoders read the action before too, for late commands")
    waves: int = Field(default=0, ge=0, description="sines and cosines of each observation that decoders read")


class VaribadPolicy(nn.Module):
    """An actor-critic without memory that reads the belief beside the observation."""

    def __init__(self, sizes: Sizes, config: PolicyConfig, settings: VaribadSettings) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = BeliefEncoder(sizes, settings.embedding, config.memory, settings.latent)
        informed = dataclasses.replace(sizes, obs=sizes.obs + 2 * settings.latent)
        self.actor_critic = MlpPolicy(informed, config, oracle=False)
        # A belief that says little is small. Blown up to unit spread, the policy comes to live on what training of the
        # encoder changes most, and falls each time that it does.
        self.actor_critic.normalizer = Normalizer(informed.obs, unamplified=2 * settings.latent)
        self.inputs = self.encoder.inputs
        self.carry_spec = self.encoder.memory.carry_spec

    @property
    def log_std(self) -> nn.Parameter | None:
        """The log spread of the actions; none where they are discrete."""
        return self.actor_critic.log_std

    def initial_carry(self, size: int) -> Carry:
        """Return the memory of `size` trials that have not begun; the belief it holds is the prior."""
        return self.encoder.initial_carry(size)

    def bind_context(self, context: Tensor) -> None:
        """Ignore the true contexts: this policy infers what it needs."""

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]` and the memory after reading one observation."""
        belief, carry = self.encoder.step(obs, last_action, last_reward, episode_start, carry)
        seen = torch.cat([obs, belief.flat], -1)
        return self.actor_critic.step(seen, last_action, last_reward, episode_start, ())[0], carry

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """Return the head `[T, N, A]`, values `[T, N]` and the memory after each step, `[T, N, memory]`."""
        informed, memory = self.informed(rollout, carry)
        return *self.actor_critic.unroll(informed, ())[:2], memory

    @torch.no_grad()
    def informed(self, rollout: Rollout, carry: Carry) -> tuple[Rollout, Carry]:
        """Return the rollout with beliefs beside its observations, and the memory after each step."""
        beliefs, memory = self.encoder.unroll(rollout, carry)
        return dataclasses.replace(rollout, obs=torch.cat([rollout.obs, beliefs.flat], -1)), memory


class Varibad(BesidePpo):
    """PPO on the actor-critic, and the variational model with an optimiser and a buffer of its own."""

    def __init__(self, policy: VaribadPolicy, config: TrainConfig) -> None:
        self.settings = VaribadSettings.parse(config.method, "method")
        self.policy = policy
        self.ppo = Ppo(policy.actor_critic, config.ppo, "trial", config.seed)
        self.decoder = _decoder(policy.sizes, self.settings)
        variational = [*policy.encoder.parameters(), *self.decoder.parameters()]
        self.model = TrialModel("varibad", variational, self.loss, self.settings, config)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy for the beliefs it acted on, then the beliefs."""
        informed, _ = self.policy.informed(rollout, self.policy.initial_carry(rollout.reward.shape[1]))
        statistics = self.ppo.update(informed, iteration, progress)
        self.policy.encoder.normalizer.update(rollout.obs)
        self.decoder.observe(rollout)
        means = self.model.learn(rollout, iteration, progress)
        self._warn_of_collapse(means, iteration)
        return {**statistics, **means}

    def state_dict(self) -> dict[str, Any]:
        """Return both optimisers and the decoder."""
        return {**super().state_dict(), "decoder": self.decoder.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict(state)
        self.decoder.load_state_dict(state["decoder"])

    def loss(self, trials: Rollout, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return minus the bound of a step, and what makes it up."""
        bound, log_likelihood, kl = self.bound(trials, rng)
        dims = {f"kl_dim_{i}": float(value) for i, value in enumerate(kl.detach().sum(0).mean(0))}
        seen = {"elbo": bound.mean().item(), "step_log_likelihood": log_likelihood.mean().item(), **dims}
        return -bound.mean() / len(trials.reward), seen

    def bound(self, trials: Rollout, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return the bound `[N]` of whole trials and its parts: log-likelihood `[B, T, N]` and KL `[T, N, L]`."""
        steps, count = trials.reward.shape
        beliefs, _ = self.policy.encoder.unroll(trials, self.policy.initial_carry(count))
        kl = chain_kl(beliefs)
        terms = torch.from_numpy(rng.permutation(steps)[: self.settings.elbo_terms])
        some = Belief(*(x[terms] for x in beliefs))
        noise = torch.from_numpy(rng.standard_normal(some.mean.shape, dtype=np.float32))
        log_likelihood = self.decoder.log_likelihood(some.sample(noise), trials)
        return elbo(log_likelihood, kl.sum(-1), self.settings.kl_weight), log_likelihood, kl

    def _warn_of_collapse(self, means: dict[str, float], iteration: int) -> None:
        moved = max(value for name, value in means.items() if name.startswith("kl_dim_"))
        if iteration * self.settings.updates == PATIENCE and moved < COLLAPSED_NATS:
            warnings.warn(
                f"the belief has collapsed: no latent moves by more than {moved:.1e} nats in a trial; lower "
                f"method.kl_weight = {self.settings.kl_weight}, or decode what tells tasks apart",
                stacklevel=2,
            )


def _decoder(sizes: Sizes, settings: VaribadSettings) -> TrialDecoder:
    reward = sizes.reads_reward if settings.decode_reward is None else settings.decode_reward
    motion = not sizes.reads_reward if settings.decode_motion is None else settings.decode_motion
    kind = settings.reward if reward else None
    of = settings
    return TrialDecoder(sizes, of.latent, of.decoder_hidden, kind, motion, of.waves, of.decode_late)


def build(sizes: Sizes, config: TrainConfig) -> VaribadPolicy:
    """Build π(a | s, belief)."""
    return VaribadPolicy(sizes, config.policy, VaribadSettings.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> Varibad:
    """Return what improves actor-critic and beliefs, each by its own objective."""
    assert isinstance(policy, VaribadPolicy)
    return Varibad(policy, config)


ALGORITHM = Algorithm(
    "varibad", "Zintgraf et al. 2020", "acts on a belief about the task", True, build, learner, VaribadSettings
)
