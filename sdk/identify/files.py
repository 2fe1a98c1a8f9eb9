"""Identification as the command line asks for it: files in, a posterior and its picture out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from domain_rand.randomizer import Randomization
from robots.identification.segments import Run
from robots.logbook.inspect import columns_for
from robots.logbook.reading import read_runs
from robots.logbook.split import split
from robots.logbook.tables import READERS
from robots.spec import RobotSpec, load_robot
from sdk.identify.run import Task, identify
from sdk.identify.settings import Settings


def identify_files(
    robot: str,
    logs: Sequence[Path],
    to: Path,
    settings: Settings,
    columns: Path | None = None,
    validation: Sequence[Path] = (),
    prior: Path | None = None,
    only: Sequence[str] = (),
    hold: Sequence[str] = (),
    report: Callable[[str, int], None] = lambda what, calls: None,
) -> dict[str, Any]:
    """Identify, write the posterior to `to` and its picture beside it; returns plain facts. Raises `ConfigError`."""
    spec, own = load_robot(robot)
    randomization = own if prior is None else Randomization.load(prior)
    learnt = _logs(spec, logs, columns)
    judged = _logs(spec, validation, columns)
    train, kept = (learnt, judged) if judged else split(learnt)
    runs = [Run(log) for log in train], [Run(log) for log in kept]
    found = identify(Task(spec, randomization, *runs, tuple(only), tuple(hold)), settings, report)
    from sdk.identify.picture import draw

    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(found.randomization.to_yaml(), encoding="utf-8")
    picture = to.with_suffix(".png")
    draw(picture, found)
    return {**found.facts, "posterior_file": str(to), "picture": str(picture)}


def _logs(spec: RobotSpec, paths: Sequence[Path], columns: Path | None) -> list[Any]:
    mapped, _ = columns_for(spec, columns)
    files = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
    return [log for file in files for log in read_runs(file, mapped)]


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in READERS)
