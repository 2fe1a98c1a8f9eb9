"""Progress bars with rate and time left; on a log file or pipe, nothing but the last line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from sdk.train import Progress as TrainingProgress


def columns() -> tuple[object, ...]:
    """Return the columns of every bar."""
    return (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )


@contextmanager
def training_bar(description: str, console: Console) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a training run: share of the budget, steps a second, return of the last trials, time left."""
    with Progress(*columns(), console=console) as progress:  # type: ignore[arg-type]
        task = progress.add_task(description, total=None, note="starting workers")

        def report(now: TrainingProgress) -> None:
            note = f"{now.steps_per_second:,.0f} steps/s  return {now.metrics['return']:.1f}"
            progress.update(task, completed=now.steps, total=now.total_steps, note=note)

        yield report


@contextmanager
def bar(description: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` have been finished."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task(description, total=total)
        yield lambda finished: progress.update(task, completed=finished)


@contextmanager
def counter(description: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show how many have been finished of how many, when the total turns out on the way."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task(description, total=None)
        yield lambda finished, total: progress.update(task, completed=finished, total=total)


@contextmanager
def stages_bar(description: str, console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show what is being done, how much of the work at most is finished, and the time left if all of it is needed."""
    with Progress(*columns(), console=console) as progress:  # type: ignore[arg-type]
        task = progress.add_task(description, total=None, note="")

        def report(what: str, done: int, most: int) -> None:
            progress.update(task, completed=done, total=most, note=f"{what}, {done} of at most {most} simulations")

        yield report
