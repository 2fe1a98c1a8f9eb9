"""A block of experience, and the one loop that collects it, whatever the memory of the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from domain_rand.randomizer import keyed_rng
from robots.trial import TrialStep, TrialWorlds
from sdk.rl.abreast import abreast, begin, episodes_abreast, in_order
from sdk.rl.between_episodes import Adaptation
from sdk.rl.distributions import distribution, exploration_noise

Carry = tuple[Tensor, ...]


class ActingPolicy(Protocol):
    """What collection needs of a policy: one pure step, and the log spread of its actions (none: they are discrete)."""

    log_std: Tensor | None

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]: ...
    def initial_carry(self, size: int) -> Carry: ...
    def bind_context(self, context: Tensor) -> None: ...


@dataclass
class Rollout:
    """Whole trials side by side: T steps of N trials, time-major `[T, N, …]`, float32; flags are 0 or 1.

    `last_action` and `last_reward` are the inputs of the step, `action` what was sampled (before limits), `reward`
    what followed (what training pays), `told` what the policy hears of it: the same where nothing else is given.
    `final_obs` is the observation that truly followed, also where an episode ended. `luck` is the noise in a policy's
    memory that its step used, `[T, N, 0]` where it draws none. `achieved` is what a step was judged by, `[T, N, 0]`
    where a task has no goal.
    """

    obs: Tensor
    last_action: Tensor
    last_reward: Tensor
    episode_start: Tensor
    action: Tensor
    log_prob: Tensor
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    final_obs: Tensor
    success: Tensor
    context: Tensor
    luck: Tensor = field(default_factory=lambda: torch.empty(0))
    achieved: Tensor = field(default_factory=lambda: torch.empty(0))
    told: Tensor = field(default_factory=lambda: torch.empty(0))

    def __post_init__(self) -> None:
        nothing = self.obs.new_empty(*self.obs.shape[:2], 0)
        self.luck, self.achieved = (x if x.numel() else nothing for x in (self.luck, self.achieved))
        self.told = self.told if self.told.numel() else self.reward

    def trials(self, index: Tensor) -> Rollout:
        """Return the trials (columns) at `index`."""
        return Rollout(**{f.name: getattr(self, f.name)[:, index] for f in fields(self)})

    def segments(self, steps: int) -> Rollout:
        """Cut trials into pieces of `steps` and lay these side by side: `[T, N]` becomes `[steps, T/steps · N]`."""
        return Rollout(**{f.name: side_by_side(getattr(self, f.name), steps) for f in fields(self)})

    @staticmethod
    def join(parts: list[Rollout]) -> Rollout:
        """Put rollouts of equal length side by side."""
        return Rollout(**{f.name: torch.cat([getattr(p, f.name) for p in parts], 1) for f in fields(Rollout)})


def side_by_side(x: Tensor, steps: int) -> Tensor:
    """Reshape `[T, N, …]` to `[steps, T/steps · N, …]`; the pieces of one trial are N columns apart."""
    return x.unflatten(0, (-1, steps)).transpose(0, 1).flatten(1, 2)


@torch.no_grad()
def collect(
    worlds: TrialWorlds,
    policy: ActingPolicy,
    indices: list[int],
    *,
    seed: int,
    stream: str,
    explore: bool = True,
    steps: int | None = None,
) -> Rollout:
    """Play one trial of each world in `indices`, or its first `steps`, and return the block.

    Exploration noise is keyed by (seed, stream, world), so it depends neither on order nor on who collects. Without it,
    what is played is what leaves for a robot. A policy that adapts does so between the episodes; until then it
    explores, asked to or not. Episodes that do not depend on each other are played side by side, and lie in the block
    in their order.
    """
    steps = steps or worlds.trial_steps
    count = episodes_abreast(worlds, policy, steps)
    size, length = len(indices) * count, getattr(worlds, "episode_steps", steps)
    rngs = [keyed_rng(seed, stream, i, "action") for i in indices]
    noise = _action_noise(rngs, (steps, worlds.action_size), policy.log_std is None)
    noise = abreast(noise, count, length)
    adaptation = Adaptation(policy, len(indices), count)
    obs, context = begin(worlds, indices, count)
    policy.bind_context(torch.from_numpy(context))
    carry = _blank(policy, indices, seed, stream)
    rest = torch.from_numpy(worlds.rest_action)
    last_action, last_reward = rest.repeat(size, 1), torch.zeros(size, 1)
    episode_start = torch.ones(size, 1)
    rows: list[tuple[Tensor, ...]] = []
    for t in range(len(noise)):
        inputs = (torch.from_numpy(obs), last_action, last_reward, episode_start)
        exploring = noise[t] if explore else noise[t] * adaptation.explores
        action, log_prob, carry = act(policy, inputs, carry, exploring, explore)
        result = worlds.step(action.numpy())
        outcome = (result.reward, result.terminated, result.truncated, result.final_obs, result.success)
        told = _tensor(result.reward if result.told_reward is None else result.told_reward)
        rows.append((*inputs, action, log_prob, *map(_tensor, outcome), _luck(policy, carry), _achieved(result), told))
        carry = adaptation.after(inputs[0], action, _tensor(result.reward), _tensor(result.episode_start), carry)
        obs = result.obs
        episode_start = _tensor(result.episode_start)[:, None]
        last_action = torch.where(episode_start.bool(), rest, _tensor(result.sent_action))
        last_reward = told[:, None]
    columns = [in_order(torch.stack(column), count, length) for column in zip(*rows, strict=True)]
    columns[2] = torch.cat([torch.zeros_like(columns[2][:1]), columns[-1][:-1, :, None]])
    columns.insert(-3, _tensor(context)[: len(indices)].expand(steps, -1, -1))
    return Rollout(*columns)


def act(
    policy: ActingPolicy, inputs: tuple[Tensor, Tensor, Tensor, Tensor], carry: Carry, noise: Tensor, explore: bool
) -> tuple[Tensor, Tensor, Carry]:
    """Return the action for `noise` `[N, A]`, its log-density and the next carry.

    A policy whose spread depends on what it reads has a method of its own for it, to be called where it is to explore.
    """
    own = getattr(policy, "explore", None)
    if explore and own is not None:
        explored: tuple[Tensor, Tensor, Carry] = own(*inputs, carry, noise)
        return explored
    head, carry = policy.step(*inputs, carry)
    return *distribution(head, policy.log_std).sample(noise), carry


def _blank(policy: ActingPolicy, indices: list[int], seed: int, stream: str) -> Carry:
    """Return the memory that trials begin with; what it holds of chance is keyed as their exploration noise is.

    A policy in training may begin with what it has learned of each world by its number: `of_worlds`.
    """
    carry, with_luck = policy.initial_carry(len(indices)), getattr(policy, "with_luck", None)
    if with_luck is not None:
        carry = with_luck(carry, [keyed_rng(seed, stream, i, "memory") for i in indices])
    of_worlds = getattr(policy, "of_worlds", None)
    return carry if of_worlds is None else of_worlds(carry, indices)  # type: ignore[no-any-return]


def _luck(policy: ActingPolicy, carry: Carry) -> Tensor:
    """Return the noise `[N, Z]` in the memory that a step has just used; nothing where a policy draws none."""
    used: Callable[[Carry], Tensor] | None = getattr(policy, "luck", None)
    return torch.empty(0) if used is None else used(carry)


def _achieved(result: TrialStep) -> Tensor:
    return torch.empty(0) if result.achieved is None else _tensor(result.achieved)


def _action_noise(rngs: list[np.random.Generator], shape: tuple[int, int], discrete: bool) -> Tensor:
    return torch.from_numpy(np.stack([exploration_noise(rng, shape, discrete) for rng in rngs], axis=1))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
