"""What improves a policy, as the training loop sees it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import nn

from sdk.rl.rollout import Rollout


class Learner(Protocol):
    """A policy and everything that changes while it learns: optimisers, buffers, running statistics.

    Whatever is random in `update` is keyed by (seed, iteration) or drawn from torch's generator, which is checkpointed
    beside `state_dict`: a resumed run then repeats the uninterrupted one.
    """

    @property
    def policy(self) -> nn.Module: ...

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy on one rollout; `progress` in [0, 1] is the share of the run that is over."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the policy's own weights and what was played."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        ...


@runtime_checkable
class Experienced(Protocol):
    """A learner that keeps what was played; a run keeps it for it, a file for each rollout."""

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that is kept."""
        ...

    def remember(self, rollout: Rollout) -> None:
        """Take in what was played, and learn nothing."""
        ...
