"""A benchmark on a robot: every arm trained, those that a robot can run exported and driven through the twin.

The floor and the ceiling are arms themselves, trained with the same seeds and played in the same held-out worlds; an
arm that reads the true context plays them in process, since no robot can run it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from sdk.algos.base import find_algorithm
from sdk.evaluate import Evaluation, evaluate_run
from sdk.progress import bar
from sdk.results import Row, at_least, measured, write_result
from sdk.ship import export_run
from sdk.statistics import seeds_by_tasks_gap_closed
from sdk.suite.adapted import Rounds, gap_rows, phase_rows, round_rows
from sdk.suite.curve import read_curve
from sdk.suite.definition import Benchmark
from sdk.suite.kept import keep, kept
from sdk.suite.options import Options
from sdk.suite.outcome import Trained, by_seed, cost, over_seeds
from sdk.suite.pictures import IMAGES, draw
from sdk.suite.training import train_side_by_side
from sdk.through_twin import HeldOut, drive
from sdk.toys.references.base import Known

BUNDLE_WORLDS = 50
"""Held-out worlds of the evaluation table inside a bundle."""


@dataclass(frozen=True)
class Arm:
    """One algorithm's runs, one a seed."""

    runs: list[Trained]

    @property
    def returns(self) -> np.ndarray:
        """Returns `[seeds, worlds]`."""
        return np.stack([run.evaluation.returns for run in self.runs])

    @property
    def per_episode(self) -> np.ndarray:
        """Returns `[seeds, worlds, episodes]` of the episodes that all trials have."""
        shown = min(run.evaluation.per_episode.shape[1] for run in self.runs)
        return np.stack([run.evaluation.per_episode[:, :shown] for run in self.runs])

    @property
    def strategy(self) -> Known:
        """What a comparison with this arm needs."""
        return Known(tuple(np.mean([run.evaluation.per_episode.mean(0) for run in self.runs], axis=0).tolist()))


def run_robot(benchmark: Benchmark, options: Options, console: Console) -> dict[str, list[Row]]:
    """Train, export, drive and compare, and return each arm's rows; floor and ceiling are always among the arms.

    Raises `ConfigError` for a run folder of other settings, `TwinError` when a bundle cannot be driven.
    """
    start = time.monotonic()
    algos = tuple(dict.fromkeys((*options.chosen(benchmark), benchmark.file.floor, benchmark.file.ceiling)))
    train_side_by_side(options.jobs(benchmark, algos), console, options.at_once)
    arms = {algo: _arm(benchmark, algo, options, console) for algo in algos}
    found = {algo: rows(benchmark, algo, arms) for algo in algos}
    if options.record:
        for algo, outcome in found.items():
            write_result(*options.result(benchmark, algo), time.monotonic() - start, outcome)
        compared = {name: arms[name].strategy for name in (benchmark.file.ceiling, benchmark.file.floor)}
        draw(IMAGES / f"{benchmark.name}.png", benchmark, kept(options.folder / benchmark.name), compared)
    return found


def rows(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm]) -> list[Row]:
    """Return what came of an arm beside floor and ceiling; its bar is held against the gap closed."""
    file, prefix, runs = benchmark.file, f"{benchmark.name}/{algo}", arms[algo].runs
    floor, ceiling = arms[file.floor], arms[file.ceiling]
    levels = {"ceiling": ceiling.strategy.total, file.floor: floor.strategy.total}
    seeds = by_seed({run.seed: float(run.evaluation.returns.mean()) for run in runs})
    return [
        measured(f"{prefix}/total_return", over_seeds(arms[algo].returns), file.unit, **levels, **seeds),
        *_gap(benchmark, algo, arms),
        _success(benchmark, algo, arms),
        *_episodes(benchmark, algo, arms),
        *cost(prefix, runs),
    ]


def _episodes(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm]) -> list[Row]:
    """Return what each episode earns; where arms adapt between episodes, the gap closed after each adaptation."""
    file, prefix, played = benchmark.file, f"{benchmark.name}/{algo}", arms[algo].per_episode
    every, bars = file.adapts_every, benchmark.entry(algo).adapted
    if every is None:
        return [
            measured(f"{prefix}/episode_{k}", over_seeds(returns), "return of an episode")
            for k, returns in enumerate(np.moveaxis(played, -1, 0), start=1)
        ]
    found = phase_rows(prefix, played, every)
    if algo not in (file.floor, file.ceiling):
        found += gap_rows(prefix, arms[file.floor].per_episode, played, arms[file.ceiling].per_episode, every, bars)
    return found + round_rows(prefix, [run.rounds for run in arms[algo].runs if run.rounds])


def _gap(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm]) -> list[Row]:
    file, bar_ = benchmark.file, benchmark.entry(algo).bar
    if algo in (file.floor, file.ceiling):
        return []
    gap = seeds_by_tasks_gap_closed(arms[file.floor].returns, arms[algo].returns, arms[file.ceiling].returns)
    name, unit = f"{benchmark.name}/{algo}/gap_closed", f"of {file.floor} to {file.ceiling}"
    return [measured(name, gap, unit) if bar_ is None or bar_.gap is None else at_least(name, gap, unit, bar_.gap)]


def _success(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm]) -> Row:
    bar_, runs = benchmark.entry(algo).bar, arms[algo].runs
    share = over_seeds([run.evaluation.success for run in runs])
    name, unit = f"{benchmark.name}/{algo}/success", "of episodes end on target"
    seeds = by_seed({run.seed: float(run.evaluation.success.mean()) for run in runs})
    if bar_ is None or bar_.success is None:
        return measured(name, share, unit, **seeds)
    return at_least(name, share, unit, bar_.success, **seeds)


def _arm(benchmark: Benchmark, algo: str, options: Options, console: Console) -> Arm:
    runs = []
    for seed in options.seeds:
        evaluation, rounds = _played(benchmark, algo, options, seed, console)
        folder = options.run_folder(benchmark, algo, seed)
        keep(folder, evaluation)
        runs.append(Trained(seed, evaluation, read_curve(folder), rounds))
    return Arm(runs)


def _played(
    benchmark: Benchmark, algo: str, options: Options, seed: int, console: Console
) -> tuple[Evaluation, Rounds | None]:
    file, folder = benchmark.file, options.run_folder(benchmark, algo, seed)
    assert file.robot is not None
    if not find_algorithm(benchmark.entry(algo).algo or algo).deployable:
        with bar(f"{algo}/seed {seed} in process", file.tasks, console) as report:
            return evaluate_run(folder, file.tasks, seed=0, effect=file.effect, report=report), None
    with console.status(f"exporting {algo}/seed {seed}, then driving {file.tasks} held-out worlds over UDP"):
        manifest = export_run(folder, folder / "bundle", worlds=BUNDLE_WORLDS, overwrite=True)
        driven = drive(folder / "bundle", HeldOut(file.robot, file.tasks, 0, file.effect, file.task))
        return driven.evaluation, Rounds.of(driven.report, manifest)
