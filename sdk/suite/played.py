"""A finished run in held-out worlds, and where its robot is changed: through the twin, or told the parameters.

What a robot can run is exported and its bundle driven over UDP; what reads the true context plays in this process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from rich.console import Console

from robots.twin.faults import Faults, Switch
from sdk.algos.base import find_algorithm
from sdk.checkpoint import write_atomic
from sdk.evaluate import Evaluation
from sdk.in_process import play_in_process
from sdk.ship import export_run
from sdk.suite.adapted import Rounds
from sdk.suite.curve import read_curve
from sdk.suite.definition import Benchmark
from sdk.suite.kept import keep
from sdk.suite.outcome import Trained
from sdk.through_twin import HeldOut, drive

BUNDLE_WORLDS = 50
"""Held-out worlds of the evaluation table inside a bundle, where a benchmark has as many."""

Play = Callable[[HeldOut], tuple[Evaluation, Rounds | None]]


def played(benchmark: Benchmark, algo: str, seed: int, folder: Path, console: Console) -> Trained:
    """Play a finished run in the held-out worlds, then in fewer of them under each change; raises `TwinError`."""
    file = benchmark.file
    with console.status(f"{algo}/seed {seed}: exporting, then {file.tasks} held-out worlds over UDP") as status:
        play = _player(benchmark, algo, folder)
        evaluation, rounds = play(_where(benchmark, file.tasks))
        keep(folder, evaluation)
        changed = {}
        for name, switch in file.changes.items():
            status.update(f"{algo}/seed {seed}: {file.changed_tasks} worlds with {name}")
            changed[name] = play(_where(benchmark, file.changed_tasks, written(folder, name, switch)))[0]
    return Trained(seed, evaluation, read_curve(folder), rounds, changed)


def written(folder: Path, name: str, switch: Switch) -> Path:
    """Write a change as a twin's file of faults into the run folder, and return its path."""
    path = folder / "changes" / f"{name.replace('/', '_')}.yaml"
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, yaml.safe_dump(Faults(switch=(switch,)).plain()).encode())
    return path


def _where(benchmark: Benchmark, worlds: int, faults: Path | None = None) -> HeldOut:
    file = benchmark.file
    assert file.robot is not None
    return HeldOut(file.robot, worlds, 0, file.effect, file.played_task or file.task, faults)


def _player(benchmark: Benchmark, algo: str, folder: Path) -> Play:
    if not find_algorithm(benchmark.entry(algo).algo or algo).deployable:
        return lambda where: (play_in_process(folder, where), None)
    worlds = min(BUNDLE_WORLDS, benchmark.file.tasks)
    manifest = export_run(folder, folder / "bundle", worlds=worlds, overwrite=True)

    def through_twin(where: HeldOut) -> tuple[Evaluation, Rounds | None]:
        driven = drive(folder / "bundle", where)
        return driven.evaluation, Rounds.of(driven.report, manifest)

    return through_twin
