"""A trained run in worlds that need not be its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdk.config import TrainConfig
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.train import load_policy


def play(folder: Path, there: TrainConfig, trials: int, stream: str, seed: int = 0) -> np.ndarray:
    """Return the returns `[trials]` of a run's last checkpoint, without exploration noise, in the worlds of `there`."""
    _, policy, _ = load_policy(folder)
    worlds = make_worlds(there, size=min(trials, there.side_by_side), seed=seed, stream=stream)
    try:
        rollout = collect_in_waves(worlds, policy, list(range(trials)), seed, stream, explore=False)
    finally:
        worlds.close()
    returns: np.ndarray = rollout.reward.sum(0).double().numpy()
    return returns
