"""Identification as the command line asks for it: files in, a posterior and its picture out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain_rand.narrowing.information import Information
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots.identification.segments import Run
from robots.logbook.columns import recorded
from robots.logbook.inspect import columns_for
from robots.logbook.reading import read_runs
from robots.logbook.split import split
from robots.logbook.tables import READERS
from robots.recordings.as_logs import is_recording
from robots.spec import RobotSpec, load_robot, robot_folder
from sdk.identify.picture import draw
from sdk.identify.run import Identification, Task


def task_of(
    robot: str,
    logs: Sequence[Path],
    columns: Path | None = None,
    validation: Sequence[Path] = (),
    prior: Path | None = None,
    only: Sequence[str] = (),
    hold: Sequence[str] = (),
) -> Task:
    """Read what an identification needs; without runs for validation, some of the others are kept for it.

    Raises `ConfigError`.
    """
    spec, own = load_robot(robot)
    learnt, judged = _runs(spec, logs, columns), _runs(spec, validation, columns)
    if not judged:
        train, kept = split([run.log for run in learnt])
        learnt, judged = [Run(log) for log in train], [Run(log) for log in kept]
    randomization = own if prior is None else Randomization.load(prior)
    return Task(spec, randomization, learnt, judged, tuple(only), tuple(hold))


def write(found: Identification, robot: str, to: Path, train_in: Path | None = None) -> dict[str, Any]:
    """Write the posterior to `to` and its picture beside it; returns the facts and where everything is.

    `train_in` gets a copy of the robot's folder with the posterior as its worlds, for `simshift train --set robot=`.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(found.randomization.to_yaml(), encoding="utf-8")
    picture = to.with_suffix(".png")
    draw(picture, found)
    facts = {**found.facts, "posterior_file": str(to), "picture": str(picture)}
    if train_in is not None:
        facts["robot_folder"] = str(narrowed_robot(robot, found.randomization, train_in))
    return facts


def narrowed_robot(robot: str, randomization: Randomization, folder: Path) -> Path:
    """Copy a robot's folder into `folder`, with these worlds as its `randomization.yaml`; returns where it lies.

    Raises `ConfigError` where there is one already.
    """
    source = robot_folder(robot)
    copy = folder / source.name
    if copy.exists():
        raise ConfigError(f"{copy}: is there already")
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "randomization.yaml").write_text(randomization.to_yaml(), encoding="utf-8")
    return copy


def assessment(information: Information) -> dict[str, Any]:
    """Return what the logs can tell as plain facts: shares of the prior's spread left, and confounded pairs."""
    rows = [
        {"parameter": name, "verdict": information.verdict(name), "alone": float(alone), "together": float(together)}
        for name, alone, together in zip(information.names, information.alone, information.together, strict=True)
    ]
    pairs = [{"pair": [a, b], "correlation": c} for a, b, c in information.pairs]
    return {"parameters": rows, "pairs": pairs}


def _runs(spec: RobotSpec, paths: Sequence[Path], columns: Path | None) -> list[Run]:
    """Read all runs; without a map, recordings by the names of their signals and logs by those of published ones."""
    mapped, _ = columns_for(spec, columns)
    own = recorded(spec.joint_names, spec.contract.joint_names)
    files = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
    read = {file: own if columns is None and _is_recording(file) else mapped for file in files}
    return [Run(log) for file, names in read.items() for log in read_runs(file, names)]


def _is_recording(file: Path) -> bool:
    return file.suffix == ".mcap" or (file.suffix == ".npz" and is_recording(file))


def _inside(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in READERS)
