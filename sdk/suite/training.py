"""Several training runs at once, each in a process of its own; whatever is there already is used or continued."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from domain_rand.schema import ConfigError
from sdk.checkpoint import RunFolder
from sdk.config import TrainConfig
from sdk.progress import columns
from sdk.suite.curve import LearningCurve
from sdk.suite.definition import CurveSettings
from sdk.train import iterations, steps_each, train, world_shape


class TrainingError(RuntimeError):
    """A run failed in its process; the message carries why."""


@dataclass(frozen=True)
class Job:
    """One run: what to train, where, and how to watch it, in worlds with which unmodelled effect."""

    config: TrainConfig
    folder: Path
    curve: CurveSettings | None = None
    effect: str = "none"

    @property
    def total_steps(self) -> int:
        """Control steps of the finished run."""
        shape = world_shape(self.config)
        return iterations(self.config, shape) * steps_each(self.config, shape)

    @property
    def is_finished(self) -> bool:
        """Whether its last checkpoint is there."""
        run = RunFolder(self.folder)
        return run.has_checkpoint and run.load()["iteration"] >= iterations(self.config, world_shape(self.config))

    def refuse_changes(self) -> None:
        """Raise `ConfigError` naming the settings in which a run that is there differs from this one."""
        run = RunFolder(self.folder)
        if run.is_started and run.config() != self.config:
            raise ConfigError(
                f"{self.folder} was trained with other settings: {_difference(run.config(), self.config)}; "
                "remove it, or choose another folder with --to"
            )


def train_side_by_side(jobs: Mapping[str, Job], console: Console, at_once: int | None = None) -> None:
    """Train all runs, `at_once` of them at a time (none: all); finished ones are left, begun ones continued.

    Raises `ConfigError` for one that was begun with other settings, `TrainingError` for one that fails.
    """
    for job in jobs.values():
        job.refuse_changes()
    waiting = {name: job for name, job in jobs.items() if not job.is_finished}
    running: dict[str, _Running] = {}
    try:
        with Progress(*columns(), console=console) as progress:  # type: ignore[arg-type]
            bars = {name: progress.add_task(name, total=job.total_steps, note="") for name, job in jobs.items()}
            while waiting or running:
                while waiting and len(running) < (at_once or len(jobs)):
                    name = next(iter(waiting))
                    running[name] = _Running(waiting.pop(name))
                time.sleep(0.3)
                running = {name: one for name, one in running.items() if not one.is_over(name)}
                _advance(progress, bars, jobs)
            _advance(progress, bars, jobs)
    finally:
        for one in running.values():
            one.end()


class _Running:
    """A training process, and what it says when it fails."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(target=_train, args=(job, theirs))
        self._process.start()
        theirs.close()

    def is_over(self, name: str) -> bool:
        """Return whether the run is finished; raises `TrainingError` when it failed."""
        if self._process.is_alive():
            return False
        if self._process.exitcode != 0:
            try:
                reason = self._pipe.recv()
            except EOFError:
                reason = f"its process is gone (exit code {self._process.exitcode})"
            raise TrainingError(f"training {name} failed: {reason}")
        return True

    def end(self) -> None:
        """Kill the process, if it still runs."""
        self._process.kill()
        self._process.join()


def _train(job: Job, pipe: Connection) -> None:
    _end_with_parent()
    try:
        watch = LearningCurve(job.folder, job.curve, job.effect) if job.curve else None
        train(job.config, job.folder, resume=RunFolder(job.folder).is_started, report=watch)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, even killed: two must never write to one run's folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _advance(progress: Progress, bars: dict[str, TaskID], jobs: Mapping[str, Job]) -> None:
    for name, bar in bars.items():
        rows = RunFolder(jobs[name].folder).metrics()
        if rows:
            progress.update(bar, completed=rows[-1]["steps"], note=f"return {rows[-1]['return']:.4g}")


def _difference(there: TrainConfig, now: TrainConfig) -> str:
    before, after = _flat(there.plain()), _flat(now.plain())
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return "; ".join(f"{key} is {before.get(key)} there, {after.get(key)} here" for key in keys)


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
