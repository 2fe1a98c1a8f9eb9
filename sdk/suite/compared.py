"""How many times as many steps others took to the same bar: of runs that are here, or else as they are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdk.results import RESULTS, Result, Row, at_least
from sdk.suite.curve import first_at
from sdk.suite.definition import Benchmark
from sdk.suite.outcome import Trained
from sdk.suite.recorded import Outcome
from sdk.toys.references.base import Known


def fewer_steps(
    benchmark: Benchmark,
    algo: str,
    runs: Mapping[str, Sequence[Trained]],
    strategies: Mapping[str, Known],
    folder: Path = RESULTS,
) -> list[Row]:
    """Return how many times as many steps each one took that the benchmark's entry names.

    Who did not get there with every seed is not compared: its mean would be of its lucky ones.
    """
    file, entry = benchmark.file, benchmark.entry(algo)
    if not entry.fewer_steps or entry.bar is None:
        return []
    line = entry.bar.line(strategies[file.ceiling].total, strategies[file.floor].total)
    taken = {
        name: mean_steps(runs[name], line) if name in runs else recorded_steps(benchmark, name, line, folder)
        for name in (algo, *entry.fewer_steps)
    }
    own = taken.pop(algo)
    return [
        at_least(f"{benchmark.name}/{algo}/fewer_steps_than_{name}", steps / own, "times", entry.fewer_steps[name])
        for name, steps in taken.items()
        if own is not None and steps is not None
    ]


def mean_steps(runs: Sequence[Trained], line: float) -> float | None:
    """Return the mean steps to `line`, where every run's learning curve reached it."""
    points = [first_at(run.curve, line) for run in runs]
    steps = [float(point["steps"]) for point in points if point is not None]
    return float(np.mean(steps)) if len(steps) == len(points) else None


def recorded_steps(benchmark: Benchmark, algo: str, line: float, folder: Path) -> float | None:
    """Return the mean steps that are on record, where they are of every seed and of a bar at `line`."""
    path = folder / f"{benchmark.result_name(algo)}.json"
    if not path.is_file():
        return None
    outcome = Outcome.of(Result.load(path))
    steps, bar = outcome.rows.get("steps_to_the_bar"), at_least("", 0.0, "", line).bar
    everyone = steps is not None and len(steps.reference) == len(outcome.result.seeds)
    return steps.value if steps is not None and everyone and outcome.total.bar == bar else None
