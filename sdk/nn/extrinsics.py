"""A policy that acts on a few numbers about its world: told while it learns, inferred from the last steps later on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.nn.history import HistoryEncoder, pushed
from sdk.nn.layers import head, mlp, spread
from sdk.nn.normalizer import Normalizer
from sdk.rl.rollout import Carry, Rollout

if TYPE_CHECKING:
    from sdk.algos.base import Sizes
    from sdk.config import PolicyConfig
    from sdk.rl.two_phases import TwoPhaseSettings


class ExtrinsicsPolicy(nn.Module):
    """π(a | obs, last action, z), where z `[…, latent]` is `privileged` of the true context, or inferred.

    It is told while it is in training mode and not yet `adapting`. Everywhere else it infers: from the window of the
    last steps, each `every` control steps, and holds z in between; or, without `adapt`, acts on the usual z.
    """

    adapting: Tensor

    def __init__(
        self, sizes: Sizes, config: PolicyConfig, privileged: nn.Module, latent: int, settings: TwoPhaseSettings
    ) -> None:
        super().__init__()
        self.inputs = ("obs", "last_action", *(["last_reward"] if sizes.reads_reward else []), "episode_start")
        self.every, self.adapts = settings.every, settings.adapt
        self.normalizer = Normalizer(sizes.obs)
        self.privileged = privileged
        self.usual = Normalizer(latent)
        self.actor = mlp([sizes.obs + sizes.action + latent, *config.hidden, sizes.action], config.head_gain)
        self.critic = mlp([sizes.obs + sizes.context, *config.hidden, 1])
        self.log_std = spread(sizes.action, sizes.log_std(config))
        row = sizes.step_inputs + 1
        self.history = HistoryEncoder(row, settings.window, settings.filters, latent)
        self.register_buffer("adapting", torch.zeros(()))
        self.carry_spec: tuple[CarryState, ...] = (
            CarryState(name="window", shape=(settings.window, row)),
            CarryState(name="latent", shape=(latent,)),
            CarryState(name="wait", shape=(1,)),
        )
        if not settings.adapt:
            self.inputs, self.carry_spec = ("obs", "last_action"), ()

    @property
    def encoder_every(self) -> int | None:
        """Control steps between two inferences; none where nothing is inferred."""
        return self.every if self.adapts else None

    def initial_carry(self, size: int) -> Carry:
        """Return the memory of `size` trials that have not begun."""
        return tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in self.carry_spec)

    def bind_context(self, context: Tensor) -> None:
        """Keep the true contexts `[N, context]` of the trials that begin now, for as long as they may be told."""
        self._context = context

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the head `[N, A]` and the memory after reading one step."""
        features = self.normalizer(obs)
        if self.training and not self.adapting:
            latent = self.privileged(self._context)
        elif not self.adapts:
            latent = self.usual.mean.expand(len(obs), -1)
        else:
            carry = self.infer(self.row(features, last_action, last_reward, episode_start), carry)
            latent = carry[1]
        return self.act(features, last_action, latent), carry

    def infer(self, row: Tensor, carry: Carry) -> Carry:
        """Return the memory after a step: the window with its row, z anew if that is due, the steps until it is."""
        window, latent, wait = carry
        window, due = pushed(window, row), (wait < 0.5).float()
        latent = due * self.history(window) + (1 - due) * latent
        return window, latent, due * (self.every - 1) + (1 - due) * (wait - 1)

    def act(self, features: Tensor, last_action: Tensor, latent: Tensor) -> Tensor:
        """Return the head `[…, A]` for standardised observations, last actions and z."""
        return head(self.actor(torch.cat([features, last_action, latent], -1)), self.log_std)

    def row(self, features: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor) -> Tensor:
        """Return what the window keeps of steps `[…]`; the 1 tells them from the zeros before a trial."""
        reward = [last_reward] if "last_reward" in self.inputs else []
        return torch.cat([features, last_action, *reward, episode_start, torch.ones_like(episode_start)], -1)

    def rows(self, rollout: Rollout) -> Tensor:
        """Return the rows `[T, N, R]` of whole trials."""
        features = self.normalizer(rollout.obs)
        return self.row(features, rollout.last_action, rollout.last_reward, rollout.episode_start)

    def unroll(self, rollout: Rollout, carry: Carry) -> tuple[Tensor, Tensor, Carry]:
        """Return the head `[T, N, A]` of the policy that is told, values `[T, N]`, and the memory: it stays blank."""
        features = self.normalizer(rollout.obs)
        told = self.act(features, rollout.last_action, self.privileged(rollout.context))
        blank = tuple(state.expand(len(features), *state.shape) for state in carry)
        return told, self.critic(torch.cat([features, rollout.context], -1)).squeeze(-1), blank

    def final_values(self, rollout: Rollout) -> Tensor:
        """Return the value `[T, N]` of the observation that truly followed each step."""
        informed = torch.cat([self.normalizer(rollout.final_obs), rollout.context], -1)
        return self.critic(informed).squeeze(-1)
