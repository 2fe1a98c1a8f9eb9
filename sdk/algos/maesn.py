"""MAESN: exploration by a latent that is drawn once an episode, and whose distribution adapts (Gupta et al. 2018).

    for each trial of task i: (μ, log σ) ← ωᵢ, with `worlds: N` learned for each of N tasks; otherwise 0
        for each episode: z ~ N(μ, σ²), held to its end; act by π(a | s, z)
        after each batch of episodes: (μ, log σ) ← (μ, log σ) + α ∘ ∇ J(θ, z; these episodes), z = μ + σ ε
    (θ, α, ω) ← step on Σᵢ J(θ, zᵢ; the later episodes) − β KL(N(μᵢ, σᵢ²) ‖ N(0, 1)), through the inner steps
    ω ← ω, moved and scaled so that all tasks together have mean 0 and variance 1

| equation                                        | where                                                |
|-------------------------------------------------|------------------------------------------------------|
| z = μ + σ ε, once an episode (section 4.1)      | `latent`                                             |
| ω' = ω + α_ω ∘ ∇_ω J (section 4.2)              | `sdk.rl.inner_step.gradient_step`                    |
| D_KL(q_ω ‖ p(z)) (section 4.2)                  | `latent_kl`                                          |
| θ' = θ + α_θ ∘ ∇_θ J, optional                  | `adapt_weights`                                      |

What a robot carries is (μ, log σ), the noise of all its trial's episodes and their count; `adapt.onnx` moves the first
alone. z is drawn up to the batch that follows the last round; from then on it is μ.

New tasks begin with the prior, N(0, 1), and so does every trial without `worlds`.

Deviations: the KL holds what latents move to, in the paper what they begin with; that tasks together fill the prior and
no more is kept by `held_together`. The spread of the actions does not adapt. The ε of a batch are not independent:
together they cover the distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from export.manifest import CarryState
from sdk.algos.base import Algorithm, Sizes
from sdk.nn.adapting import AdaptableMlp, AdaptingPolicy, written_out
from sdk.nn.layers import head
from sdk.rl.distributions import ActionDistribution, distribution
from sdk.rl.episodes import Episodes
from sdk.rl.meta_learner import MetaLearner, Trials, world_numbers
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.rollout import Carry, Rollout

if TYPE_CHECKING:
    from sdk.config import TrainConfig


GOLDEN = (1 + 5**0.5) / 2
"""Its powers, wrapped, are spread evenly."""


class MaesnConfig(MetaConfig):
    """The keys under `method`."""

    latent: int = Field(default=2, ge=1, description="numbers drawn for an episode")
    inner_lr: float = Field(default=0.5, gt=0, description="length of an inner step for a gradient of norm 1, at first")
    kl_weight: float = Field(default=0.1, ge=0, description="weight of the adapted latents' divergence from the prior")
    adapt_weights: bool = Field(default=False, description="the weights adapt, too")
    keep_spread: bool = Field(default=False, description="the actions' spread stays as it began, and is not learned")


def spread_noise(rng: np.random.Generator, batches: int, rollouts: int, size: int) -> np.ndarray:
    """Return noise `[batches · rollouts, size]`: each number N(0, 1), those of a batch spread over the distribution.

    Numbers are made in pairs (Box and Muller 1958). A batch's first pairs point evenly in as many directions, turned at
    random; what else they are made of are additive recurrences, shifted at random (Cranley and Patterson 1976). Drawn
    each on its own, a few attempts would often try nearly the same thing.
    """
    pairs = -(-size // 2)
    steps = np.array([1 / rollouts, *(GOLDEN ** -(1.0 + k) for k in range(2 * pairs - 1))])
    uniform = (np.arange(rollouts)[:, None] * steps + rng.random((batches, 1, 2 * pairs))) % 1.0
    angle, radius = 2 * np.pi * uniform[..., ::2], np.sqrt(-2 * np.log1p(-uniform[..., 1::2]))
    noise = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return noise.reshape(batches * rollouts, -1)[:, :size]


def latent(variational: Tensor, noise: Tensor) -> Tensor:
    """Return z = μ + σ ε `[…, Z]` for (μ, log σ) `[…, 2Z]` and noise `[…, Z]`."""
    mean, log_std = variational.chunk(2, -1)
    return mean + log_std.exp() * noise


def latent_kl(variational: Tensor) -> Tensor:
    """Return KL(N(μ, σ²) ‖ N(0, 1)) in nats `[…]`, summed over the latent's numbers, for (μ, log σ) `[…, 2Z]`."""
    mean, log_std = variational.chunk(2, -1)
    return 0.5 * ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std).sum(-1)


def held_together(variational: Tensor) -> Tensor:
    """Return (μ, log σ) of all tasks `[N, 2Z]`, moved and scaled so that together they have mean 0 and variance 1.

    A new task begins with N(0, 1): what they outgrow it by would never be tried there.
    """
    mean, log_std = variational.chunk(2, -1)
    centred = mean - mean.mean(0)
    scale = (centred**2 + (2 * log_std).exp()).mean(0).sqrt()
    return torch.cat([centred / scale, log_std - scale.log()], -1)


class MaesnPolicy(AdaptingPolicy):
    """Acts on the observation and a latent; its carry is (μ, log σ) [and weights], noise, and episodes begun."""

    inputs = ("obs", "episode_start")

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: MaesnConfig) -> None:
        actor = AdaptableMlp(
            [sizes.obs + settings.latent, *config.policy.hidden, sizes.action], config.policy.head_gain
        )
        adapted = 2 * settings.latent + settings.adapt_weights * actor.adapted
        super().__init__(sizes, config.policy, actor, adapted, settings.rule())
        self.latents, self.adapts_weights = settings.latent, settings.adapt_weights
        if self.log_std is not None:
            self.log_std.requires_grad_(not settings.keep_spread)
        self.step_sizes = nn.Parameter(torch.full((adapted,), settings.inner_lr))
        self.tasks = nn.Parameter(torch.zeros(config.worlds, 2 * settings.latent)) if config.worlds else None
        batches = 1 + max(settings.inner_steps, self.rule.rounds)
        shape = (settings.rollouts * batches, settings.latent)
        noise = spread_noise(keyed_rng(config.seed, "maesn", 0, "noise"), batches, settings.rollouts, settings.latent)
        self.carry_spec += (
            CarryState(name="noise", shape=shape, initial=tuple(noise.flatten().tolist())),
            CarryState(name="episode", shape=(1,)),
        )

    @property
    def step_size(self) -> Tensor:
        """Length of a step for a gradient of norm 1 `[P]`, learned."""
        return self.step_sizes

    def with_luck(self, carry: Carry, rngs: list[np.random.Generator]) -> Carry:
        """Return the memory of trials that begin, with noise of their own."""
        adapted, noise, episode = carry
        batches = noise.shape[1] // self.rule.every
        drawn = np.stack([spread_noise(rng, batches, self.rule.every, self.latents) for rng in rngs])
        return adapted, torch.from_numpy(drawn).float(), episode

    def of_worlds(self, carry: Carry, indices: list[int]) -> Carry:
        """Return the memory of trials that begin, in training with their tasks' own distributions."""
        if not self.training or self.tasks is None:
            return carry
        return self.begun([index % len(self.tasks) for index in indices]), *carry[1:]

    def begun(self, worlds: list[int]) -> Tensor:
        """Return what is adapted `[N, P]` before a trial in each of these worlds: ωᵢ, and no change of weights."""
        assert self.tasks is not None
        own = self.tasks[worlds]
        return torch.cat([own, torch.zeros(len(worlds), len(self.step_sizes) - own.shape[-1])], -1)

    def luck(self, carry: Carry) -> Tensor:
        """Return the noise `[N, Z]` of the episode that each trial is in; 0 beyond what was drawn."""
        _, noise, episode = carry
        return _noise_of(episode[None, :, 0], noise)[0]

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]`, and the carry with an episode more counted where one starts."""
        adapted, noise, episode = carry
        carry = (adapted, noise, episode + episode_start)
        return self.with_latent(obs[None], adapted, self.luck(carry)[None])[0], carry

    def adapt(self, episodes: tuple[Tensor, ...], carry: Carry) -> Carry:
        """Return the carry after one round; which noise each step was played with follows from the episodes' count."""
        batch, (adapted, noise, episode) = Episodes(*episodes), carry
        starts = ((batch.time == 0) * batch.mask).cumsum(0)
        played_with = _noise_of(episode[:, 0] + starts - starts[-1:], noise)
        return self.adapted_by(batch._replace(luck=played_with), adapted), noise, episode

    def actions(self, episodes: Episodes, adapted: Tensor) -> ActionDistribution:
        """Return the distribution over actions for the noise that the episodes were played with."""
        return distribution(self.with_latent(episodes.obs, adapted, episodes.luck), self.log_std)

    def with_latent(self, obs: Tensor, adapted: Tensor, noise: Tensor) -> Tensor:
        """Return the head `[T, N, A]` for observations `[T, N, obs]`, `adapted` `[N, P]` and noise `[T, N, Z]`."""
        variational = adapted[:, : 2 * self.latents]
        x = torch.cat([self.normalizer(obs), latent(variational, noise)], -1)
        if not self.adapts_weights:
            return head(written_out(self.actor, x), self.log_std)  # type: ignore[arg-type]
        raw = self.actor(x.transpose(0, 1), adapted[:, 2 * self.latents :])
        return head(raw.transpose(0, 1), self.log_std)


def _noise_of(episode: Tensor, noise: Tensor) -> Tensor:
    """Return the noise `[T, N, Z]` of episodes `[T, N]`, counted from 1, of `noise` `[N, E, Z]`; 0 for others."""
    chosen = (episode[..., None] == torch.arange(1, noise.shape[1] + 1)).to(noise.dtype)
    return (chosen.transpose(0, 1) @ noise).transpose(0, 1)


class Maesn(MetaLearner):
    """The outer loop, with a price on latents far from the prior."""

    policy: MaesnPolicy
    settings: MaesnConfig
    worlds: list[int]

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the shared weights and, where tasks have their own, the distributions of those that were played."""
        tasks = self.policy.tasks
        self.worlds = world_numbers(iteration, rollout.reward.shape[1], None if tasks is None else len(tasks))
        statistics = super().update(rollout, iteration, progress)
        if tasks is not None:
            with torch.no_grad():
                tasks.copy_(held_together(tasks))
        return statistics

    def start(self, count: int) -> Tensor:
        """Return what the first trials began with `[count, P]`: the prior, or their tasks' own distributions."""
        return super().start(count) if self.policy.tasks is None else self.policy.begun(self.worlds[:count])

    def outer_objective(self, trials: Trials, actions: ActionDistribution, states: list[Tensor]) -> Tensor:
        """Return what was earned after adapting, less what the latents diverged from N(0, I), `[N]`."""
        gained = super().outer_objective(trials, actions, states)
        return gained - self.settings.kl_weight * latent_kl(states[-1][:, : 2 * self.settings.latent])


def build(sizes: Sizes, config: TrainConfig) -> MaesnPolicy:
    """Build π(a | s, z) whose distribution of z adapts."""
    return MaesnPolicy(sizes, config, MaesnConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> Maesn:
    """Return the outer loop."""
    assert isinstance(policy, MaesnPolicy)
    return Maesn(policy, MaesnConfig.parse(config.method, "method"))


ALGORITHM = Algorithm(
    "maesn",
    "Gupta et al. 2018",
    "a latent drawn once an episode, whose distribution adapts",
    True,
    build,
    learner,
    MaesnConfig,
    played,
)
