"""What experts show, world by world: the states to act in, and what was done there or how to find out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Shown(NamedTuple):
    """Some states `[…, O]`, the true context of each `[…, C]`, and the action that a file shows there `[…, A]`.

    An expert that can be asked needs the context and no action; a file knows the action and no context. What is not
    there has no columns.
    """

    obs: Tensor
    context: Tensor
    action: Tensor


class ShownRows:
    """The last `kept` rows of each world."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._rows: dict[int, Shown] = {}

    @property
    def worlds(self) -> list[int]:
        """Those of which something is kept."""
        return list(self._rows)

    def add(self, world: int, rows: Shown) -> None:
        """Take in rows `[M, …]`; the oldest make room for them."""
        before = self._rows.get(world)
        parts = rows if before is None else (torch.cat(pair) for pair in zip(before, rows, strict=True))
        self._rows[world] = Shown(*(part[-self._kept :] for part in parts))

    def keep_only(self, worlds: Iterable[int]) -> None:
        """Forget all other worlds."""
        wanted = set(worlds)
        self._rows = {world: rows for world, rows in self._rows.items() if world in wanted}

    def draw(self, worlds: Sequence[int], count: int, rng: np.random.Generator) -> Shown:
        """Return `count` rows of each world, `[count, worlds, …]`."""
        drawn = [self._some(self._rows[world], count, rng) for world in worlds]
        return Shown(*(torch.stack(column, 1) for column in zip(*drawn, strict=True)))

    def state_dict(self) -> dict[int, tuple[Tensor, ...]]:
        """Return all rows."""
        return {world: tuple(rows) for world, rows in self._rows.items()}

    def load_state_dict(self, state: dict[int, tuple[Tensor, ...]]) -> None:
        """Take over what `state_dict` returned."""
        self._rows = {world: Shown(*rows) for world, rows in state.items()}

    @staticmethod
    def _some(rows: Shown, count: int, rng: np.random.Generator) -> Shown:
        index = torch.from_numpy(rng.integers(0, len(rows.obs), count))
        return Shown(*(column[index] for column in rows))
