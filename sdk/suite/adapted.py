"""What adapting on a robot came to: the gap closed after each round, what was refused, how exact and long it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.manifest import PARITY_TOLERANCE, Manifest
from sdk.results import Row, at_least, at_most, measured
from sdk.statistics import seeds_by_tasks_ci95, seeds_by_tasks_gap_closed

Returns = np.ndarray
"""Of episodes, `[seeds, worlds, episodes]`."""


@dataclass(frozen=True)
class Rounds:
    """The rounds in which a bundle adapted: how many, how many of them were refused, and the median time of one [ms].

    `error` is the largest of its `adapt.onnx` beside the trained policy, relative above 1. `learning_library` says
    whether the process that drove had torch loaded.
    """

    count: int
    refused: int
    milliseconds: float
    error: float
    learning_library: bool

    @staticmethod
    def of(report: Mapping[str, Any], manifest: Manifest) -> Rounds | None:
        """Read them off a run's report; none where the bundle does not adapt."""
        if manifest.adaptation is None:
            return None
        rounds = report["adaptations"]
        refused = sum(not one["accepted"] for one in rounds)
        time = float(np.median([one["milliseconds"] for one in rounds])) if rounds else 0.0
        error = manifest.adaptation.max_abs_error
        return Rounds(len(rounds), refused, time, error, "torch" in report["robot_side_modules"])


def phases(returns: Returns, every: int) -> list[np.ndarray]:
    """Return the mean returns `[seeds, worlds]` of an episode before any adaptation and after each."""
    count = returns.shape[-1] // every
    return [returns[..., k * every : (k + 1) * every].mean(-1) for k in range(count)]


def phase_rows(prefix: str, arm: Returns, every: int) -> list[Row]:
    """Return what an episode earns before any adaptation and after each."""
    return [
        measured(f"{prefix}/adapted_{k}", seeds_by_tasks_ci95(phase), "return of an episode")
        for k, phase in enumerate(phases(arm, every))
    ]


def gap_rows(
    prefix: str, floor: Returns, arm: Returns, ceiling: Returns, every: int, bars: Mapping[int, float]
) -> list[Row]:
    """Return the gap closed by episodes before any adaptation and after each, held against `bars`."""
    result, unit = [], "of the gap closed by these episodes"
    for k, played in enumerate(zip(*(phases(one, every) for one in (floor, arm, ceiling)), strict=False)):
        name, gap = f"{prefix}/gap_after_{k}", seeds_by_tasks_gap_closed(*played)
        result.append(at_least(name, gap, unit, bars.get(k)))
    return result


def round_rows(prefix: str, rounds: Sequence[Rounds]) -> list[Row]:
    """Return how many rounds were accepted, what one took, and how exact the graph is, over the seeds' bundles."""
    if not rounds:
        return []
    count, refused = sum(one.count for one in rounds), sum(one.refused for one in rounds)
    loaded = float(sum(one.learning_library for one in rounds))
    beside = {"rounds": float(count), "ms a round": float(np.mean([one.milliseconds for one in rounds]))}
    error = max(one.error for one in rounds)
    return [
        measured(f"{prefix}/accepted", (count - refused) / max(1, count), "of rounds on the robot", **beside),
        at_most(f"{prefix}/adapt_error", error, "of a step, beside torch, relative above 1", PARITY_TOLERANCE),
        at_most(f"{prefix}/torch_loaded", loaded, "of the processes that adapted", 0.0),
    ]
