"""Run a problem: train what is not trained yet, play every arm in every target, record what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from sdk.config import TrainConfig
from sdk.evaluate import HELD_OUT
from sdk.offdynamics.benchmark.grid import grid_rows
from sdk.offdynamics.benchmark.outcome import Returns, rows
from sdk.offdynamics.benchmark.picture import draw
from sdk.offdynamics.benchmark.problem import GROUP, Problem, Run, find_problems
from sdk.offdynamics.judge import STREAM as GATE
from sdk.offdynamics.playing import play
from sdk.results import Row, write_result
from sdk.suite.options import Options
from sdk.suite.pictures import IMAGES
from sdk.suite.training import Job, train_side_by_side
from sdk.toys.references.base import known

GRID = "grid"


def run_group(name: str, options: Options, console: Console) -> list[Row]:
    """Run all problems, or the one that is named; `options.algos` are arms. Raises `ConfigError`."""
    found = []
    if name in (GROUP, f"{GROUP}/{GRID}"):
        found += _recorded(GRID, f"{GROUP}/{GRID}", options, grid_rows(options.seeds))
    for problem in find_problems(name, options.steps) if name != f"{GROUP}/{GRID}" else ():
        found += run_problem(problem, options, console)
    return found


def run_problem(problem: Problem, options: Options, console: Console) -> list[Row]:
    """Train, play and compare; source-only and oracle are always among the arms. Finished runs are reused."""
    start, folder = time.monotonic(), options.folder / f"{GROUP}_{problem.name}"
    wanted = dict.fromkeys(("source_only", *(options.algos or tuple(problem.file.arms)), "oracle"))
    arms = tuple(arm for arm in wanted if problem.plan(arm))
    train_all(problem, arms, options, folder, console)
    by_target = {}
    for target in problem.file.targets:
        with console.status(f"playing {problem.name} in {target}"):
            by_target[target] = returns_of(problem, target, arms, options, folder)
    found = [row for target, returns in by_target.items() for row in rows(problem, target, returns)]
    if options.record:
        draw(IMAGES / f"{result_name(problem.name)}.png", problem, by_target)
    return _recorded(problem.name, problem.asked, options, found, time.monotonic() - start)


def train_all(problem: Problem, arms: tuple[str, ...], options: Options, folder: Path, console: Console) -> None:
    """Train all runs; those that go on from another one's end, after it."""
    first: dict[str, Job] = {}
    then: dict[str, Job] = {}
    for target in problem.file.targets:
        for seed in options.seeds:
            for arm in arms:
                after = problem.plan(arm).after
                (first if after is None else then).update(_job(problem.run(arm, target, seed, folder), folder))
                if after is not None:
                    first.update(_job(problem.run(after, target, seed, folder), folder))
    for jobs in (first, then):
        train_side_by_side(jobs, console, options.at_once)


def returns_of(problem: Problem, target: str, arms: tuple[str, ...], options: Options, folder: Path) -> Returns:
    """Play every arm's last checkpoints in the held-out worlds of a target; the corrected ones for the gate as well."""
    file, there = problem.file, problem.there(target)
    runs = {arm: [folder / problem.run(arm, target, seed, folder).place for seed in options.seeds] for arm in arms}
    judged = ["source_only", *(arm for arm in arms if problem.plan(arm).correction is not None)]
    played = {arm: np.stack([play(one, there, file.tasks, HELD_OUT) for one in runs[arm]]) for arm in arms}
    by_gate = {arm: np.stack([play(one, there, file.gate_trials, GATE) for one in runs[arm]]) for arm in judged}
    home = np.stack([play(one, problem.source(0), file.tasks, HELD_OUT) for one in runs["source_only"]])
    return Returns(home, played, by_gate, options.seeds, _exact(there))


def result_name(problem: str) -> str:
    """Return the name of a problem's results file and picture."""
    return f"off_dynamics_{problem}"


def _exact(there: TrainConfig) -> Mapping[str, float]:
    """Return what is known of a toy without training."""
    if there.toy is None:
        return {}
    found = known(there.toy.name, there.toy.settings, tasks=2000)
    return {f"computed: {name}": strategy.total for name, strategy in found.items()}


def _job(run: Run, folder: Path) -> dict[str, Job]:
    return {f"{folder.name}/{run.place}": Job(run.config, folder / run.place)}


def _recorded(name: str, asked: str, options: Options, found: list[Row], wall_s: float = 0.0) -> list[Row]:
    if options.record:
        arms = [text for arm in options.algos for text in ("--algo", arm)]
        steps = [] if options.steps is None else ["--steps", str(options.steps)]
        words = ["simshift benchmark", asked, *arms, *steps, "--seeds", *map(str, options.seeds)]
        write_result(result_name(name), " ".join(words), list(options.seeds), wall_s, found)
    return found
