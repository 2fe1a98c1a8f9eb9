"""The runs of one algorithm on a robot, and the arrays that comparisons are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sdk.suite.outcome import Trained
from sdk.toys.references.base import Known


@dataclass(frozen=True)
class Arm:
    """One algorithm's runs, one a seed."""

    runs: list[Trained]

    @property
    def returns(self) -> np.ndarray:
        """Returns `[seeds, worlds]`."""
        return np.stack([run.evaluation.returns for run in self.runs])

    @property
    def success(self) -> np.ndarray:
        """Shares of episodes that end on target, `[seeds, worlds]`."""
        return np.stack([run.evaluation.success for run in self.runs])

    @property
    def per_episode(self) -> np.ndarray:
        """Returns `[seeds, worlds, episodes]` of the episodes that all trials have."""
        shown = min(run.evaluation.per_episode.shape[1] for run in self.runs)
        return np.stack([run.evaluation.per_episode[:, :shown] for run in self.runs])

    @property
    def per_slot(self) -> np.ndarray:
        """Returns `[seeds, worlds, slots]` of each tenth of a second."""
        return np.stack([run.evaluation.per_slot for run in self.runs])  # type: ignore[misc]

    @property
    def strategy(self) -> Known:
        """What a comparison with this arm needs: the episodes that all trials have, and the whole return."""
        shown = self.per_episode.mean((0, 1))
        return Known(tuple(shown.tolist()), rest=float(self.returns.mean() - shown.sum()))

    def under(self, change: str) -> Arm:
        """Return the same runs where the robot was changed."""
        return Arm([replace(run, evaluation=run.changed[change], rounds=None) for run in self.runs])
