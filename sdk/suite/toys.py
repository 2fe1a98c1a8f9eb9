"""A benchmark on a toy, from training to results file: train, evaluate the last checkpoints, compare, record."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sdk.evaluate import evaluate_run
from sdk.progress import bar
from sdk.results import Row, write_result
from sdk.suite.curve import read_curve
from sdk.suite.definition import Benchmark
from sdk.suite.options import Options
from sdk.suite.outcome import Trained, known, rows
from sdk.suite.training import Job, train_side_by_side


def run_toy(benchmark: Benchmark, options: Options, console: Console) -> dict[str, list[Row]]:
    """Train and evaluate, and return each algorithm's rows; with `record`, write them to the results folder.

    All runs are evaluated on the same held-out tasks. Raises `ConfigError` for a run folder of other settings.
    """
    start = time.monotonic()
    algos = options.chosen(benchmark)
    jobs = {
        f"{benchmark.name}/{algo}/seed {seed}": Job(
            benchmark.config(algo, seed, options.steps),
            options.run_folder(benchmark, algo, seed),
            benchmark.file.curve,
        )
        for algo in algos
        for seed in options.seeds
    }
    train_side_by_side(jobs, console, options.at_once)
    with console.status("working out the references"):
        strategies = known(benchmark)
    found = {algo: rows(benchmark, algo, _evaluated(benchmark, algo, options, console), strategies) for algo in algos}
    for algo, measured in found.items():
        if options.record:
            record(benchmark, algo, options, measured, time.monotonic() - start)
    return found


def record(benchmark: Benchmark, algo: str, options: Options, measured: Sequence[Row], wall_s: float) -> Path:
    """Write an algorithm's results file."""
    name = f"{benchmark.kind}_{benchmark.name}_{algo}"
    return write_result(name, options.command(benchmark, algo), list(options.seeds), wall_s, list(measured))


def _evaluated(benchmark: Benchmark, algo: str, options: Options, console: Console) -> list[Trained]:
    trained, tasks = [], benchmark.file.tasks
    for seed in options.seeds:
        folder = options.run_folder(benchmark, algo, seed)
        with bar(f"evaluating {benchmark.name}/{algo}/seed {seed}", tasks, console) as report:
            evaluation = evaluate_run(folder, tasks, seed=0, report=report)
        trained.append(Trained(seed, folder, evaluation, read_curve(folder)))
    return trained
