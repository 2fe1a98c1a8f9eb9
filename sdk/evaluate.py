"""Evaluate a trained policy on held-out worlds, in process, without exploration noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robots.effects import effect_named
from robots.model import Engine
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.offdynamics.dynamics import in_engine
from sdk.rl.rollout import Rollout
from sdk.statistics import Estimate, mean_ci95
from sdk.train import load_policy

HELD_OUT = "held_out"


@dataclass(frozen=True)
class Evaluation:
    """Returns of whole trials `[W]`, of their episodes `[W, K]`, and the share `[W]` of these that ended on target.

    A trial in which episodes ended early has more than K of them; the first K are shown. `by_step` `[T]` is the mean
    reward of each step of the trial, `reached` `[W, K]` whether an episode was ever on target, where steps were watched
    one by one. `per_slot` `[W, S]` are the returns of each tenth of a second, where a robot's twin kept the score.
    """

    returns: np.ndarray
    per_episode: np.ndarray
    success: np.ndarray
    by_step: np.ndarray | None = None
    reached: np.ndarray | None = None
    per_slot: np.ndarray | None = None

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
    engine: Engine | None = None,
    robot: str | None = None,
    report: Callable[[int], None] = lambda finished: None,
) -> Evaluation:
    """Play one trial in each of `worlds` held-out worlds with a run's last checkpoint.

    Equal `seed` and `stream` mean equal worlds, whatever the policy and the `engine` (none: the run's). `robot` names
    other worlds of the run's contract. `report` hears how many have been played.
    """
    torch.set_num_threads(1)
    config, policy, _ = load_policy(folder)
    config = config if robot is None else config.model_copy(update={"robot": robot})
    size = min(config.side_by_side, worlds)
    trials = make_worlds(in_engine(config, engine), size=size, seed=seed, stream=stream, effect=effect_named(effect))
    parts = []
    try:
        for first in range(0, worlds, size):
            indices = list(range(first, min(first + size, worlds)))
            parts.append(_outcome_of(collect_in_waves(trials, policy, indices, seed, stream, explore=False)))
            report(indices[-1] + 1)
    finally:
        trials.close()
    return by_episode(Rollout.join(parts))


def _outcome_of(rollout: Rollout) -> Rollout:
    """Let go of what was seen and done, which for many worlds would fill the memory."""
    shed = ("obs", "last_action", "action", "final_obs", "context", "achieved")
    return replace(rollout, **{name: getattr(rollout, name)[..., :0].clone() for name in shed})


def by_episode(rollout: Rollout) -> Evaluation:
    """Split whole trials into their episodes; K is the smallest number of episodes in any of them."""
    ended = (rollout.terminated + rollout.truncated).clamp(max=1)
    episode = (ended.cumsum(0) - ended).long().T
    count = int(episode.max()) + 1
    per_episode = torch.zeros(len(episode), count).scatter_add(1, episode, rollout.reward.T)
    success = torch.zeros(len(episode), count).scatter_add(1, episode, (rollout.success * ended).T)
    reached = torch.zeros(len(episode), count).scatter_add(1, episode, rollout.success.T).clamp(max=1)
    shown = int(ended.sum(0).min())
    of_trials = rollout.reward.sum(0), per_episode[:, :shown], success[:, :shown].mean(1)
    parts = (*of_trials, rollout.reward.mean(1), reached[:, :shown])
    return Evaluation(*(part.double().numpy() for part in parts))
