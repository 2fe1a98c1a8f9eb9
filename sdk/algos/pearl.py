"""PEARL: infer a latent of the task from transitions in any order, act on it, learn off-policy (Rakelly et al. 2019).

    for each iteration: play a trial in each of some tasks;  keep it, and as the task's recent one
        for each descent, for each of some tasks:
            context ← transitions of its recent trial;  q ← N(0, I) · Π Ψ(z | transition);  z ~ q
            batch ← steps of all its trials
            descend (Q(s, a, z) − y)² + KL(q ‖ N(0, I))   by critics and Ψ
            descend α log π(a | s, z) − Q(s, a, z)        by the actor, z held fixed
    on the robot: q starts as N(0, I), and is multiplied by Ψ of every transition read

| equation                                          | where                                             |
|---------------------------------------------------|---------------------------------------------------|
| q(z | c) ∝ Π Ψ(z | c_n) (section 4.1, eq. 1)      | `sdk.nn.task_posterior.product`                   |
| its factors                                       | `sdk.nn.task_posterior.TransitionEncoder`         |
| KL(q ‖ r) beside the critics' loss (section 4.1)  | `Pearl.descend`, `sdk.rl.elbo.gaussian_kl`        |
| z ~ q held for an episode (section 4.2)           | `PearlPolicy.step`, `acts_on: sample`             |
| context from recent data, the rest from all (5.2) | `Pearl.recent`, `Pearl.replay`                    |

Deviations: N(0, I) is a factor of q, so that without transitions q is the prior. Contexts have between none and
`context` transitions. The KL is a mean over tasks. A transition counts once its outcome is read: the last of an episode
never is. Two soft critics for a value network. A reward is read beside what it rose by.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from export.manifest import CarryState
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.beliefs import Belief
from sdk.nn.critics import TwinCritic
from sdk.nn.dither import Dither
from sdk.nn.normalizer import Normalizer
from sdk.nn.squashed import SquashedActing, SquashedActor
from sdk.nn.task_posterior import Natural, TransitionEncoder, prior, product
from sdk.rl.distributions import SquashedGaussian
from sdk.rl.elbo import gaussian_kl
from sdk.rl.rollout import Carry, Rollout
from sdk.rl.soft import SoftConfig, SoftCritics, critic_loss, mean_of
from sdk.rl.task_replay import Steps, TaskReplay, steps_of

COLLAPSED_NATS, PATIENCE = 0.01, 2000
"""A posterior this near to the prior, in every dimension, after so many descents, says nothing."""


class PearlConfig(SoftConfig):
    """The keys under `method`."""

    latent: int = Field(default=5, ge=1, description="dimensions of what is inferred")
    encoder_hidden: tuple[int, ...] = Field(default=(64, 64), min_length=1)
    next_obs: bool = Field(default=True, description="whether a transition is read with what followed")
    acts_on: Literal["sample", "mean"] = Field(
        default="mean", description="the posterior's mean at each step, or a draw of it, held for an episode"
    )
    draws: int = Field(default=8, ge=1, description="different draws in a trial, before they come again")
    tasks: int = Field(default=16, ge=1, description="draws of a task in a descent, each with its context")
    batch: int = Field(default=64, ge=1, description="steps of each")
    context: int = Field(default=64, ge=1, description="most transitions of a context")
    recent: int = Field(default=1, ge=1, description="trials of a task that contexts are drawn from: the last ones")
    explores: int = Field(
        default=0, ge=0, description="first episodes of a trial with noise in the actions, on the robot as well"
    )
    kl_weight: float = Field(default=0.1, ge=0, description="weight of the KL, summed over dimensions")


class PearlPolicy(SquashedActing):
    """An actor that reads what is inferred of the task beside the observation; its memory is the posterior.

    Draws are part of the memory: a trial begins with all the noise that it will use.
    """

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: PearlConfig) -> None:
        super().__init__()
        self.sizes, self.latent, self.draws = sizes, settings.latent, settings.draws
        self.samples = settings.acts_on == "sample"
        self.inputs = ("obs", "last_action", *(["last_reward"] if sizes.reads_reward else []), "episode_start")
        self.normalizer = Normalizer(sizes.obs)
        self.encoder = TransitionEncoder(sizes, settings.encoder_hidden, settings.latent, settings.next_obs)
        self.head = SquashedActor(sizes.obs + settings.latent, sizes, config.policy)
        noise = keyed_rng(config.seed, "pearl", 0, "draws").standard_normal(settings.draws * settings.latent)
        self.carry_spec: tuple[CarryState, ...] = (
            CarryState(name="precision", shape=(settings.latent,), initial=1.0),
            CarryState(name="weighted", shape=(settings.latent,)),
            CarryState(name="before", shape=(sizes.obs,)),
        )
        if sizes.reads_reward:
            self.carry_spec += (CarryState(name="heard", shape=(1,)),)
        if self.samples:
            self.carry_spec += (
                CarryState(name="latent", shape=(settings.latent,)),
                CarryState(name="noise", shape=(settings.draws, settings.latent), initial=tuple(noise.tolist())),
            )
        self.inferring = len(self.carry_spec)
        self.dither = Dither(settings.explores, sizes.action, config.seed)
        self.carry_spec += self.dither.carry_spec

    def initial_carry(self, size: int) -> Carry:
        """Return the prior and no observation before, for `size` trials."""
        return tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in self.carry_spec)

    def with_luck(self, carry: Carry, rngs: list[np.random.Generator]) -> Carry:
        """Return the memory of trials that begin, with draws of their own."""
        inferring = carry[: self.inferring]
        if self.samples:
            noise = np.stack([rng.standard_normal((self.draws, self.latent), dtype=np.float32) for rng in rngs])
            inferring = (*inferring[:-1], torch.from_numpy(noise))
        return *inferring, *self.dither.luck(rngs)

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the action `[N, A]`, with noise where a trial explores, and the memory after reading one step."""
        noise = self.dither.noise(episode_start, carry[self.inferring :])
        actions, carry = self.act(obs, last_action, last_reward, episode_start, carry)
        return actions.greedy if noise is None else actions.noisy(noise), carry

    def act(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[SquashedGaussian, Carry]:
        """Return the distribution over actions, and the posterior after the transition that led here."""
        latent, inferring = self.infer(obs, last_action, last_reward, episode_start, carry[: self.inferring])
        dither = self.dither.after(episode_start, carry[self.inferring :])
        return self.actions(obs, latent), (*inferring, *dither)

    def infer(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the latent to act on `[N, L]`, and the next memory; what crosses an episode's end tells nothing."""
        before, held = carry[2], carry[3 + self.sizes.reads_reward :]
        heard = carry[3] if self.sizes.reads_reward else last_reward
        factor = self.encoder(self.encoder.rows(before, heard, last_action, last_reward, obs))
        one = Natural(*(x[None] for x in factor))
        posterior = product(Natural(carry[0], carry[1]), one, 1 - episode_start.T)
        mean, log_var = posterior.belief
        now = (obs, last_reward * (1 - episode_start)) if self.sizes.reads_reward else (obs,)
        if not self.samples:
            return mean, (*posterior, *now)
        latent, noise = held
        latent = episode_start * (mean + (0.5 * log_var).exp() * noise[:, 0]) + (1 - episode_start) * latent
        begins = episode_start[..., None]
        noise = begins * torch.cat([noise[:, 1:], noise[:, :1]], 1) + (1 - begins) * noise
        return latent, (*posterior, *now, latent, noise)

    def actions(self, obs: Tensor, latent: Tensor) -> SquashedGaussian:
        """Return the distribution over actions at observations `[…, O]`, for latents `[…, L]`."""
        return self.head(torch.cat([self.normalizer(obs), latent], -1))  # type: ignore[no-any-return]

    def posterior(self, context: Steps) -> Natural:
        """Return what contexts `[C, B]` say of B tasks, `[B, L]`; steps whose outcome was not read do not count."""
        return product(prior(self.latent), self.encoder(self.rows(context)), 1 - context.unread)

    def rows(self, steps: Steps) -> Tensor:
        """Return what the encoder reads of steps `[…]`."""
        heard, paid = steps.heard[..., None], steps.told[..., None]
        return self.encoder.rows(steps.obs, heard, steps.sent, paid, steps.next_obs)


class Pearl:
    """Actor, critics and encoder; everything played, and what was played last in each task."""

    def __init__(self, policy: PearlPolicy, config: TrainConfig) -> None:
        settings = PearlConfig.parse(config.method, "method")
        self.policy, self.config, self.seed = policy, settings, config.seed
        sizes = policy.sizes
        critic = TwinCritic(sizes.obs + settings.latent + sizes.action, config.policy.hidden)
        encoder = policy.encoder.parameters()
        self.soft = SoftCritics(critic, policy.head.parameters(), sizes.action, settings, encoder)
        self.replay = TaskReplay(settings.replay)
        self.recent = TaskReplay(settings.replay, settings.recent)
        self.descents = 0

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Keep the rollout, and improve policy and encoder on what is kept, once that is enough."""
        self.observe(rollout)
        if len(self.replay) < min(self.config.warm_up, self.config.replay):
            return {}
        self.soft.pace(progress)
        rng = keyed_rng(self.seed, "pearl", iteration, "batches")
        count = max(1, round(self.config.updates_per_step * rollout.reward.numel()))
        means = mean_of([self.descend(*self.draw(rng), rng) for _ in range(count)])
        self._warn_of_collapse(means, count)
        return means

    def observe(self, rollout: Rollout) -> None:
        """Take in what was played, and what is usual in it."""
        self.remember(rollout)
        self.policy.normalizer.update(rollout.obs)
        self.policy.encoder.normalizer.update(self.policy.rows(steps_of(rollout)))

    def draw(self, rng: np.random.Generator) -> tuple[Steps, Steps]:
        """Return contexts `[C, B]` of some tasks' recent trials, and steps `[batch, B]` of all their trials."""
        known = self.recent.tasks
        tasks = [known[i] for i in rng.integers(0, len(known), self.config.tasks)]
        context = self.recent.draw_read(tasks, self.config.context, rng)
        size = rng.integers(0, self.config.context + 1, len(tasks))
        left_out = torch.from_numpy(np.arange(self.config.context)[:, None] >= size).float()
        context = context._replace(unread=torch.maximum(context.unread, left_out))
        return context, self.replay.draw_of(tasks, self.config.batch, rng)

    def descend(self, context: Steps, steps: Steps, rng: np.random.Generator) -> dict[str, float]:
        """Take one step of critics and encoder, then of the actor and the temperature."""
        noise = torch.from_numpy(rng.standard_normal((2, *steps.action.shape), dtype=np.float32))
        belief = self.policy.posterior(context).belief
        luck = torch.from_numpy(rng.standard_normal(belief.mean.shape, dtype=np.float32))
        latent = belief.sample(luck).expand(*steps.reward.shape, -1)
        fixed = latent.detach()
        with torch.no_grad():
            action, log_prob = self.policy.actions(steps.next_obs, fixed).sample(noise[0])
            following = self.soft.slow(self.judged(steps.next_obs, fixed, action))
            target = self.soft.target(steps.reward, steps.terminated, following, log_prob)
        value = self.soft.critic(self.judged(steps.obs, latent, steps.action))
        loss, kl = critic_loss(value, target), kl_to_prior(belief)
        self.soft.descend_critics(loss + self.config.kl_weight * kl.sum(-1).mean())
        action, log_prob = self.policy.actions(steps.obs, fixed).sample(noise[1])
        self.soft.descend_actor(self.soft.critic(self.judged(steps.obs, fixed, action)), log_prob, action)
        dims = {f"kl_dim_{i}": float(nats) for i, nats in enumerate(kl.detach().mean(0))}
        return {**self.soft.statistics(loss, value, log_prob), "kl_least": float(kl.detach().sum(-1).min()), **dims}

    def judged(self, obs: Tensor, latent: Tensor, action: Tensor) -> Tensor:
        """Return what the critics read."""
        return torch.cat([self.policy.normalizer(obs), latent, action], -1)

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that is kept."""
        return max(self.replay.remembers, self.recent.remembers)

    def remember(self, rollout: Rollout) -> None:
        """Take in what was played, and learn nothing."""
        self.replay.add(rollout)
        self.recent.add(rollout)

    def state_dict(self) -> dict[str, Any]:
        """Return critics, optimisers and how often they descended."""
        return {"soft": self.soft.state_dict(), "descents": self.descents}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.soft.load_state_dict(state["soft"])
        self.descents = state["descents"]

    def _warn_of_collapse(self, means: dict[str, float], count: int) -> None:
        before, self.descents = self.descents, self.descents + count
        most = max(value for name, value in means.items() if name.startswith("kl_dim_"))
        if before < PATIENCE <= self.descents and most < COLLAPSED_NATS:
            warnings.warn(
                f"the posterior has collapsed: no latent is more than {most:.1e} nats from the prior; lower "
                f"method.kl_weight = {self.config.kl_weight}, or raise method.reward_scale",
                stacklevel=2,
            )


def kl_to_prior(belief: Belief) -> Tensor:
    """Return KL(q ‖ N(0, I)) in nats for each dimension, `[…, L]`."""
    zeros = torch.zeros_like(belief.mean)
    return gaussian_kl(belief, Belief(zeros, zeros))


def build(sizes: Sizes, config: TrainConfig) -> PearlPolicy:
    """Build π(a | s, z)."""
    return PearlPolicy(sizes, config, PearlConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> Pearl:
    """Return what improves policy and encoder."""
    assert isinstance(policy, PearlPolicy)
    return Pearl(policy, config)


ALGORITHM = Algorithm(
    "pearl",
    "Rakelly et al. 2019",
    "acts on a latent inferred from transitions",
    True,
    build,
    learner,
    PearlConfig,
)
