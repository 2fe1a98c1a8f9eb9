"""A learning curve: a run's checkpoints, evaluated on a fixed held-out set while it trains.

It is kept beside `metrics.jsonl`, which only the seed determines: the curve holds times as well, and its evaluations
leave the run's own random state alone.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from sdk.checkpoint import write_atomic
from sdk.evaluate import evaluate_run
from sdk.suite.definition import CurveSettings
from sdk.train import Progress

CURVE = "learning_curve.jsonl"
STREAM = "learning_curve"
Point = dict[str, Any]


class LearningCurve:
    """Reports of a training run, turned into points of its curve; `seconds` are those spent training.

    After an interruption the curve goes on; the time up to the checkpoint is read off the points before it.
    """

    def __init__(self, folder: Path, settings: CurveSettings, effect: str = "none") -> None:
        self._folder, self._settings, self._effect = folder, settings, effect
        self._since: float | None = None
        self._seconds = 0.0

    def __call__(self, now: Progress) -> None:
        """Hear of a finished iteration, and evaluate its checkpoint when it is time."""
        iteration = int(now.metrics["iteration"]) + 1
        block = now.steps // iteration
        if self._since is None:
            self._since = time.perf_counter() - block / now.steps_per_second
            self._seconds = self._resume(now.steps - block)
        self._seconds += time.perf_counter() - self._since
        every = max(1, now.total_steps // block // self._settings.points)
        if iteration % every == 0 or now.steps >= now.total_steps:
            self._add(now.steps, self._seconds)
        self._since = time.perf_counter()

    def _resume(self, steps: int) -> float:
        """Drop the points behind `steps` and return the seconds that it took to get there."""
        points = [point for point in read_curve(self._folder) if point["steps"] <= steps]
        write_atomic(self._folder / CURVE, "".join(json.dumps(point) + "\n" for point in points).encode())
        return points[-1]["seconds"] * steps / points[-1]["steps"] if points else 0.0

    def _add(self, steps: int, seconds: float) -> None:
        with torch.random.fork_rng():
            result = evaluate_run(self._folder, self._settings.tasks, seed=0, stream=STREAM, effect=self._effect)
        point = {"steps": steps, "seconds": round(seconds, 3), **result.mean.plain()}
        with (self._folder / CURVE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")


def read_curve(folder: Path) -> list[Point]:
    """Return a run's points so far: steps, seconds, mean and ci95."""
    path = folder / CURVE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def first_at(points: list[Point], line: float) -> Point | None:
    """Return the first point whose mean reaches `line`."""
    return next((point for point in points if point["mean"] >= line), None)
