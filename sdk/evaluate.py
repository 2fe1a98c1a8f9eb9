"""Evaluate a trained policy on held-out worlds, in process, without exploration noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robots.effects import effect_named
from robots.trial import RobotTrials
from sdk.engines.local import collect_in_waves
from sdk.rl.rollout import Rollout
from sdk.statistics import Estimate, mean_ci95
from sdk.train import load_policy

HELD_OUT = "held_out"


@dataclass(frozen=True)
class Evaluation:
    """Returns of whole trials, one row a world, one column an episode.

    `success` `[W]` is the share of a world's episodes that ended on target.
    """

    per_episode: np.ndarray
    success: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """Return of each world's trial, `[W]`."""
        return self.per_episode.sum(1)

    @property
    def mean(self) -> Estimate:
        return mean_ci95(self.returns)

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data: trial return and its parts by episode, with intervals."""
        episodes = [mean_ci95(column).plain() for column in self.per_episode.T]
        return {
            **self.mean.plain(),
            "per_episode": [round(float(v), 6) for v in self.per_episode.mean(0)],
            "per_episode_ci95": [episode["ci95"] for episode in episodes],
            "success": float(self.success.mean()),
            "worlds": len(self.per_episode),
        }


def evaluate_run(
    folder: Path,
    worlds: int,
    *,
    seed: int,
    effect: str = "none",
    stream: str = HELD_OUT,
    report: Callable[[int], None] = lambda finished: None,
) -> Evaluation:
    """Play one trial in each of `worlds` held-out worlds with a run's last checkpoint.

    Equal `seed` and `stream` mean equal worlds, whatever the policy. `report` hears how many have been played.
    """
    torch.set_num_threads(1)
    config, policy, _ = load_policy(folder)
    size = min(config.robots, worlds)
    trials = RobotTrials(config.robot, size, seed=seed, stream=stream, effect=effect_named(effect))
    parts = []
    try:
        for first in range(0, worlds, size):
            indices = list(range(first, min(first + size, worlds)))
            parts.append(collect_in_waves(trials, policy, indices, seed, stream, explore=False))
            report(indices[-1] + 1)
    finally:
        trials.close()
    return by_episode(Rollout.join(parts))


def by_episode(rollout: Rollout) -> Evaluation:
    """Split whole trials into episodes of equal length at their ends."""
    ends = (rollout.terminated + rollout.truncated).clamp(max=1)[:, 0].nonzero().squeeze(-1)
    bounds: Sequence[int] = [0, *(ends + 1).tolist()]
    sums = [rollout.reward[first:last].sum(0).numpy() for first, last in pairwise(bounds)]
    success = rollout.success[ends].mean(0).numpy()
    return Evaluation(np.stack(sums, axis=1).astype(np.float64), success.astype(np.float64))
