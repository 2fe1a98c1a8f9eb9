"""The linear system: regulators by Riccati, for the system as it is, for one with both actuators, and in between.

All are played, within the same limits as every policy: a regulator that would ask for more is cut off.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdk.offdynamics.exact.lq import LinearQuadratic, corrected_gains
from sdk.toys.linear import REACH, LinearSettings, LinearTrials
from sdk.toys.references.base import Blind, Known, Player, Random, play


class Regulator(Blind):
    """Linear feedback u = −K s."""

    def __init__(self, gains: np.ndarray) -> None:
        self._gains = gains

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return np.clip(-obs.astype(np.float64) @ self._gains.T / REACH, -1, 1)


def regulators(lost: float) -> Mapping[str, np.ndarray]:
    """Return the gains that are best there, in the source, and in the source under the exact correction of weight 1."""
    source = LinearQuadratic()
    target = source.weakened(lost)
    return {"oracle": target.best(), "source": source.best(), "corrected": corrected_gains(source, target)}


def references(settings: LinearSettings, tasks: int, seed: int) -> dict[str, Known]:
    """Return what each strategy reaches on `tasks` tasks."""
    players: dict[str, Player] = {name: Regulator(gains) for name, gains in regulators(settings.lost).items()}
    players["random"] = Random(seed)
    worlds = LinearTrials(settings, tasks, seed=seed, stream="references")
    return {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
