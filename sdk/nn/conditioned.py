"""A policy whose first round of adaptation begins where a network says that this task's episodes point to."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from export.manifest import AdaptationSpec
from sdk.nn.adapting import AdaptingPolicy, InnerObjective, on_policy, unadapted
from sdk.nn.episode_encoder import EpisodeEncoder, transitions
from sdk.rl.episodes import Episodes
from sdk.rl.inner_step import gradient_step


class ConditionedPolicy(AdaptingPolicy):
    """Jumps once, by what an encoder makes of the first batch of episodes, then steps down the gradient every time.

    The episodes of the first batch were played before the jump. Its step weighs each by how likely the new policy would
    have acted so, at most 1 (as Espeholt et al. 2018): without a jump all weights are 1.
    """

    encoder: EpisodeEncoder
    by_gradient: int
    """So many numbers of what adapts, the first ones, follow the gradient; the others are set by the jump alone."""
    reach: float
    """Largest change of a number by the jump."""
    jumps: int
    """So many numbers are changed by the jump, the last ones."""

    @property
    def adaptation(self) -> AdaptationSpec:
        """What a robot must know to adapt: a round may move by a step and a jump."""
        spec = super().adaptation
        return spec.model_copy(update={"step_norm": spec.step_norm + 1.01 * self.reach * self.jumps**0.5})

    @abstractmethod
    def jumped(self, told: Tensor) -> Tensor:
        """Return what is adapted after the jump, `[N, P]`, for what the encoder told, within ±`reach`, `[N, jumps]`."""

    def adapted_by(
        self,
        episodes: Episodes,
        adapted: Tensor,
        objective: InnerObjective = on_policy,
        first_order: bool = False,
    ) -> Tensor:
        """Return `adapted` `[N, P]` after one round, differentiable by the shared weights and the encoder."""
        told = self.encoder(transitions(episodes, self.normalizer(episodes.obs)), episodes.mask)
        start = torch.where(unadapted(adapted), self.jumped(self.reach * torch.tanh(told)), adapted)
        stepping, fixed = start[:, : self.by_gradient], start[:, self.by_gradient :]
        loss = self.loss(episodes, self._weighted(episodes, adapted, objective))
        size = self.share(adapted) * self.step_size
        limits = {"max_norm": self.rule.max_norm, "first_order": first_order}
        moved = gradient_step(lambda x: loss(torch.cat([x, fixed], -1)), stepping, size, **limits)  # type: ignore[arg-type]
        return torch.cat([moved, fixed], -1)

    def _weighted(self, episodes: Episodes, before: Tensor, objective: InnerObjective) -> InnerObjective:
        as_played = self.actions(episodes, before).log_prob(episodes.action).detach()

        def weighted(log_prob: Tensor, advantage: Tensor, of: Episodes) -> Tensor:
            weight = (log_prob.detach() - as_played).exp().clamp(max=1.0)
            return objective(log_prob, advantage * weight, of)

        return weighted
