"""The trials played last, for what may learn from older experience than the policy does."""

from __future__ import annotations

from torch import Tensor

from sdk.rl.rollout import Rollout


class TrialBuffer:
    """At most `capacity` whole trials; the oldest leave first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._trials: Rollout | None = None

    def __len__(self) -> int:
        return 0 if self._trials is None else self._trials.reward.shape[1]

    def add(self, rollout: Rollout) -> None:
        """Take in new trials."""
        both = rollout if self._trials is None else Rollout.join([self._trials, rollout])
        excess = max(0, both.reward.shape[1] - self.capacity)
        self._trials = Rollout(**{name: x[:, excess:].clone() for name, x in vars(both).items()})

    def trials(self, index: Tensor) -> Rollout:
        """Return the trials at `index`, 0 being the oldest."""
        assert self._trials is not None
        return self._trials.trials(index)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the trials by field; nothing when there are none."""
        return {} if self._trials is None else dict(vars(self._trials))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what `state_dict` returned."""
        self._trials = Rollout(**state) if state else None
