"""The real simple pendulum, whose torque scale and mass no log of its motion separates: whether that is said."""

from __future__ import annotations

from pathlib import Path

from domain_rand.randomizer import Randomization
from robots.identification.segments import Run
from robots.logbook.columns import ColumnMap
from robots.logbook.reading import read_runs
from robots.logbook.split import split
from robots.spec import RobotSpec, load_robot
from sdk.identify.run import Task, assess
from sdk.identify.settings import Settings
from sdk.results import Row, at_least, at_most, measured

LOG = Path("dfki_simple_pendulum/runs/energy_shaping.npz")
ROBOT = "./benchmarks/robots/simple_pendulum"
COLUMNS = ColumnMap.parse(
    {"array": "measured", "joints": {"shoulder": {"pos": "position", "vel": "velocity", "command": "torque"}}}
)
PAIR = ("mass", "motor_gain")
SETTINGS = Settings(segments=40)
HIDDEN = 0.9
"""Correlation from which two parameters count as one."""


def pendulum_rows(logs: Path, jobs: int) -> list[Row]:
    """Say what the log can tell and return that as rows; raises `FileNotFoundError` without the logs."""
    path = logs / LOG
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    spec, worlds = load_robot(ROBOT)
    train, kept = split(read_runs(path, COLUMNS))
    return _rows(spec, worlds, [Run(log) for log in train], [Run(log) for log in kept], jobs)


def _rows(spec: RobotSpec, worlds: Randomization, train: list[Run], kept: list[Run], jobs: int) -> list[Row]:
    told = assess(Task(spec, worlds, train, kept), SETTINGS.model_copy(update={"jobs": jobs}))
    share = "of the prior's spread left, the others unknown"
    rows = []
    for name, alone, together in zip(told.names, told.alone, told.together, strict=True):
        known = {"others_known": float(alone)}
        rows.append(measured(f"simple_pendulum/{name}", float(together), f"share {share}", **known))
    i, j = (told.names.index(name) for name in PAIR)
    label = " and ".join(PAIR)
    rows.append(at_least(f"simple_pendulum/{label}", float(told.correlation[i, j]), "correlation", HIDDEN))
    sure = sum(told.verdict(name) == "identified" for name in PAIR)
    return [*rows, at_most("simple_pendulum/taken_as_identified", float(sure), f"of {label}", 0.0)]
