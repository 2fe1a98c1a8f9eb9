"""The trials played last, for what may learn from older experience than the policy does."""

from __future__ import annotations

from collections import deque

from torch import Tensor

from sdk.rl.rollout import Rollout


class TrialBuffer:
    """At most `capacity` whole trials; the oldest leave first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._trials: Rollout | None = None
        self._sizes: deque[int] = deque()

    def __len__(self) -> int:
        return 0 if self._trials is None else self._trials.reward.shape[1]

    @property
    def remembers(self) -> int:
        """How many of the last rollouts that came hold all trials that are kept."""
        return len(self._sizes)

    def add(self, rollout: Rollout) -> None:
        """Take in new trials."""
        self._sizes.append(rollout.reward.shape[1])
        while sum(self._sizes) - self._sizes[0] >= self.capacity:
            self._sizes.popleft()
        both = rollout if self._trials is None else Rollout.join([self._trials, rollout])
        excess = max(0, both.reward.shape[1] - self.capacity)
        self._trials = Rollout(**{name: x[:, excess:].clone() for name, x in vars(both).items()})

    def trials(self, index: Tensor) -> Rollout:
        """Return the trials at `index`, 0 being the oldest."""
        assert self._trials is not None
        return self._trials.trials(index)
