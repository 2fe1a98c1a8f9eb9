"""What a run folder keeps of its evaluation, for pictures that show several algorithms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sdk.checkpoint import write_atomic
from sdk.evaluate import Evaluation
from sdk.suite.curve import Point, read_curve

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class Kept:
    """One run: its learning curve, and its last checkpoint's mean return by episode and reward by step."""

    curve: list[Point]
    per_episode: list[float]
    by_step: list[float]


def keep(folder: Path, evaluation: Evaluation) -> None:
    """Write an evaluation's means into the run folder."""
    by_step = [] if evaluation.by_step is None else evaluation.by_step.tolist()
    means = {"per_episode": evaluation.per_episode.mean(0).tolist(), "by_step": by_step}
    write_atomic(folder / EVALUATION, json.dumps(means).encode())


def kept(folder: Path) -> dict[str, list[Kept]]:
    """Return what the runs of a benchmark's folder keep, by algorithm; runs not yet evaluated are left out."""
    found: dict[str, list[Kept]] = {}
    for path in sorted(folder.glob(f"*/seed_*/{EVALUATION}")):
        run = Kept(read_curve(path.parent), **json.loads(path.read_text(encoding="utf-8")))
        found.setdefault(path.parent.parent.name, []).append(run)
    return found
