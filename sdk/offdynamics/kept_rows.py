"""The last rows of each domain: those to train on, and those that are only judged on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sdk.offdynamics.settings import RewardCorrection
from sdk.offdynamics.transitions import Transitions


class KeptRows:
    """Rows by domain, "source" and "target"; the end of every block that comes is held out."""

    def __init__(self, settings: RewardCorrection) -> None:
        self._held_out = settings.held_out
        self._capacity = {"source": settings.source_rows, "target": settings.target_rows}
        self._rows: dict[str, Transitions] = {}

    def add(self, domain: str, rows: Transitions) -> None:
        """Take in new rows, the last ones in place of the first."""
        train, held_out = rows.held_out(self._held_out)
        for key, new in ((domain, train), (f"{domain}/held_out", held_out)):
            both = Transitions.join([self._rows[key], new]) if key in self._rows else new
            self._rows[key] = Transitions(*(x.clone() for x in both.last(self._capacity[domain])))

    def add_both(self, source: Transitions, target: Transitions | None) -> None:
        """Take in new rows of either domain; of the target none where there are no new ones."""
        self.add("source", source)
        if target is not None:
            self.add("target", target)

    def size(self, domain: str) -> int:
        """Return how many rows there are to train on."""
        return self._rows[domain].size

    def held_out(self, domain: str) -> Transitions:
        """Return the rows that are never trained on."""
        return self._rows[f"{domain}/held_out"]

    def draw(self, domain: str, count: int, rng: np.random.Generator) -> Transitions:
        """Return rows to train on, all equally likely."""
        return self._rows[domain].rows(torch.from_numpy(rng.integers(0, self.size(domain), count)))

    def state_dict(self) -> dict[str, Any]:
        """Return all rows."""
        return {name: tuple(rows) for name, rows in self._rows.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._rows = {name: Transitions(*rows) for name, rows in state.items()}
