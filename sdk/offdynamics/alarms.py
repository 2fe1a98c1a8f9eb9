"""What tells whether a correction can be trusted, whatever it is made of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TypedDict

import numpy as np
from torch import Tensor

from sdk.offdynamics.settings import RewardCorrection


class Common(TypedDict):
    """The alarms of every method, by name."""

    delta_mean: float
    delta_q05: float
    delta_q95: float
    clipped: float
    target_rows: float
    penalty_steps: float
    penalty_episodes: float


@dataclass(frozen=True)
class Alarms:
    """Numbers of one iteration; Δr is that of the source's steps, before the clip.

    `penalty_steps` and `penalty_episodes` are what a whole clip costs, in mean rewards of a step and of an episode.
    """

    delta_mean: float
    delta_q05: float
    delta_q95: float
    clipped: float
    target_rows: float
    penalty_steps: float
    penalty_episodes: float

    def metrics(self) -> dict[str, float]:
        """Return the numbers by name, for a row of a run's metrics."""
        return {f"correction_{name}": value for name, value in asdict(self).items()}


def common_alarms(delta: Tensor, reward: Tensor, rows: int, settings: RewardCorrection, episode_steps: float) -> Common:
    """Return what every method tells, for Δr `[M]`, rewards `[…]` of the source's steps and `rows` of the target."""
    low, high = np.quantile(delta.numpy(), [0.05, 0.95])
    penalty = settings.weight * settings.clip / max(float(reward.abs().mean()), 1e-12)
    return {
        "delta_mean": float(delta.mean()),
        "delta_q05": float(low),
        "delta_q95": float(high),
        "clipped": float((delta.abs() > settings.clip).float().mean()),
        "target_rows": float(rows),
        "penalty_steps": penalty,
        "penalty_episodes": penalty / episode_steps,
    }


def reachable(target_rows: int) -> float:
    """Return the largest −Δr [nats] that so many rows of the target can support, log(rows)."""
    return math.log(max(1, target_rows))
