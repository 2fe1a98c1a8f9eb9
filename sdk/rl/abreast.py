"""Episodes of a trial played side by side where none depends on another: those between two adaptations.

So played, a trial of batches of `count` episodes of `length` steps lies in memory as `[T / count, count · N, …]`: place
r · N + i plays episodes r, count + r, 2 count + r, … of trial i. In order it is `[T, N, …]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor


def episodes_abreast(worlds: Any, policy: Any, steps: int) -> int:
    """Return how many episodes of a trial can be played side by side: a batch, or 1.

    A policy must adapt by a `rule` and draw nothing for an episode, worlds must have episodes of equal length.
    """
    rule = getattr(policy, "rule", None)
    if rule is None or hasattr(policy, "luck") or not getattr(worlds, "plays_abreast", False):
        return 1
    return int(rule.every) if steps % (rule.every * worlds.episode_steps) == 0 else 1


def begin(worlds: Any, indices: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Begin trials with `count` episodes of each side by side; returns observations and contexts, `[count · N, …]`."""
    started: tuple[np.ndarray, np.ndarray] = (
        worlds.begin(indices) if count == 1 else worlds.begin_abreast(indices, count)
    )
    return started


def abreast(x: Tensor, count: int, length: int) -> Tensor:
    """Lay `[T, N, …]` as it is played."""
    if count == 1:
        return x
    return x.unflatten(0, (-1, count, length)).transpose(1, 2).flatten(2, 3).flatten(0, 1)


def in_order(x: Tensor, count: int, length: int) -> Tensor:
    """Lay `[T / count, count · N, …]` in the order of a trial; what is empty stays so."""
    if count == 1 or x.numel() == 0:
        return x
    return x.unflatten(0, (-1, length)).unflatten(2, (count, -1)).transpose(1, 2).flatten(0, 2)
