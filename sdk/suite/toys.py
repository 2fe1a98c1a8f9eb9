"""A benchmark on a toy, from training to results file: train, evaluate the last checkpoints, compare, record."""

from __future__ import annotations

import time

from rich.console import Console

from sdk.evaluate import evaluate_run
from sdk.progress import bar
from sdk.results import Row, at_least, write_result
from sdk.suite.beliefs import draw_beliefs, goal_beliefs
from sdk.suite.compared import fewer_steps
from sdk.suite.curve import read_curve
from sdk.suite.definition import Benchmark
from sdk.suite.kept import keep, kept
from sdk.suite.options import Options
from sdk.suite.outcome import Trained, known, over_seeds, rows
from sdk.suite.paths import draw_paths, visited, walked
from sdk.suite.pictures import IMAGES, draw
from sdk.suite.training import train_side_by_side

EXPLORERS = 200
"""Held-out tasks in which visits are counted."""


def run_toy(benchmark: Benchmark, options: Options, console: Console) -> dict[str, list[Row]]:
    """Train and evaluate, and return each algorithm's rows; with `record`, write them to the results
    folder and draw the picture.

    All runs are evaluated on the same held-out tasks. Raises `ConfigError` for a run folder of other settings.
    """
    start = time.monotonic()
    algos = options.chosen(benchmark)
    train_side_by_side(options.jobs(benchmark, algos), console, options.at_once)
    with console.status("working out the references"):
        strategies = known(benchmark)
    runs = {algo: _evaluated(benchmark, algo, options, console) for algo in algos}
    found = {
        algo: [*rows(benchmark, algo, those, strategies), *fewer_steps(benchmark, algo, runs, strategies)]
        for algo, those in runs.items()
    }
    if benchmark.file.near is not None:
        found = {algo: [*those, _visits(benchmark, algo, options)] for algo, those in found.items()}
    if options.record:
        for algo, those in found.items():
            write_result(*options.result(benchmark, algo), time.monotonic() - start, those)
        draw(IMAGES / f"{benchmark.name}.png", benchmark, kept(options.folder / benchmark.name), strategies)
        for algo in filter(benchmark.shows_beliefs, algos):
            walk = goal_beliefs(options.run_folder(benchmark, algo, options.seeds[0]))
            draw_beliefs(IMAGES / f"{benchmark.name}_beliefs.png", walk)
        for algo in algos if benchmark.shows_paths else ():
            paths = walked(options.run_folder(benchmark, algo, options.seeds[0]), benchmark.file.adapts_every or 1)
            draw_paths(IMAGES / f"{benchmark.name}_{algo}_paths.png", paths)
    return found


def _visits(benchmark: Benchmark, algo: str, options: Options) -> Row:
    """Return the share of all places with goals that the attempts before the first adaptation came near."""
    together, near = benchmark.file.adapts_every or 1, benchmark.file.near or 0.0
    folders = [options.run_folder(benchmark, algo, seed) for seed in options.seeds]
    share = over_seeds([visited(walked(folder, together, EXPLORERS), near) for folder in folders])
    name, unit = f"{benchmark.name}/{algo}/visited_before", f"of places with goals, nearer than {near:g}"
    return at_least(name, share, unit, benchmark.entry(algo).visits)


def _evaluated(benchmark: Benchmark, algo: str, options: Options, console: Console) -> list[Trained]:
    trained, tasks = [], benchmark.file.tasks
    for seed in options.seeds:
        folder = options.run_folder(benchmark, algo, seed)
        with bar(f"evaluating {benchmark.name}/{algo}/seed {seed}", tasks, console) as report:
            evaluation = evaluate_run(folder, tasks, seed=0, report=report)
        keep(folder, evaluation)
        trained.append(Trained(seed, evaluation, read_curve(folder)))
    return trained
