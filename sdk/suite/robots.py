"""A benchmark on a robot: every arm trained, those that a robot can run exported and driven through the twin.

The floor and the ceiling are arms themselves, trained with the same seeds and played in the same held-out worlds; an
arm that reads the true context plays them in process, since no robot can run it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from rich.console import Console

from sdk.results import Row, at_least, measured, write_result
from sdk.statistics import seeds_by_tasks_gap_closed
from sdk.suite.adapted import gap_rows, phase_rows, round_rows
from sdk.suite.arms import Arm
from sdk.suite.changed import Slots, adapting_rows, changed_rows, slots_of
from sdk.suite.definition import Benchmark
from sdk.suite.kept import kept
from sdk.suite.options import Options
from sdk.suite.outcome import by_seed, cost, over_seeds, reached_row
from sdk.suite.pictures import IMAGES, draw
from sdk.suite.played import played
from sdk.suite.training import train_side_by_side


def run_robot(benchmark: Benchmark, options: Options, console: Console) -> dict[str, list[Row]]:
    """Train, export, drive and compare, and return each arm's rows; floor and ceiling are always among the arms.

    Raises `ConfigError` for a run folder of other settings and for a change that its robot cannot have, `TwinError`
    when a bundle cannot be driven.
    """
    slots = slots_of(benchmark)
    start = time.monotonic()
    algos = tuple(dict.fromkeys((*options.chosen(benchmark), benchmark.file.floor, benchmark.file.ceiling)))
    train_side_by_side(options.jobs(benchmark, algos), console, options.at_once)
    arms = {algo: _arm(benchmark, algo, options, console) for algo in algos}
    found = {algo: rows(benchmark, algo, arms, slots) for algo in algos}
    if options.record:
        for algo, outcome in found.items():
            write_result(*options.result(benchmark, algo), time.monotonic() - start, outcome)
        compared = {name: arms[name].strategy for name in (benchmark.file.ceiling, benchmark.file.floor)}
        draw(IMAGES / f"{benchmark.name}.png", benchmark, kept(options.folder / benchmark.name), compared)
    return found


def rows(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm], slots: Slots) -> list[Row]:
    """Return what came of an arm beside floor and ceiling; its bar is held against the gap closed."""
    file, prefix, runs = benchmark.file, f"{benchmark.name}/{algo}", arms[algo].runs
    floor, ceiling = arms[file.floor], arms[file.ceiling]
    levels = {"ceiling": ceiling.strategy.total, file.floor: floor.strategy.total}
    seeds = by_seed({run.seed: float(run.evaluation.returns.mean()) for run in runs})
    return [
        measured(f"{prefix}/total_return", over_seeds(arms[algo].returns), file.unit, **levels, **seeds),
        *_gap(benchmark, algo, arms),
        _success(benchmark, algo, arms),
        *([] if file.attempts is None else [reached_row(prefix, runs, file.attempts, benchmark.entry(algo))]),
        *_episodes(benchmark, algo, arms),
        *adapting_rows(benchmark, algo, arms, slots),
        *changed_rows(benchmark, algo, arms, slots),
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
    return [at_least(name, gap, unit, bar_.gap if bar_ else None)]


def _success(benchmark: Benchmark, algo: str, arms: Mapping[str, Arm]) -> Row:
    bar_, runs = benchmark.entry(algo).bar, arms[algo].runs
    share = over_seeds(arms[algo].success)
    name, unit = f"{benchmark.name}/{algo}/success", "of episodes end on target"
    seeds = by_seed({run.seed: float(run.evaluation.success.mean()) for run in runs})
    return at_least(name, share, unit, bar_.success if bar_ else None, **seeds)


def _arm(benchmark: Benchmark, algo: str, options: Options, console: Console) -> Arm:
    folders = {seed: options.run_folder(benchmark, algo, seed) for seed in options.seeds}
    return Arm([played(benchmark, algo, seed, folder, console) for seed, folder in folders.items()])
