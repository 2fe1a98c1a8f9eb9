"""From a file's columns to runs: `Log`s in the robot's joint order, in rad, s and the command's own unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from domain_rand.schema import nearest
from robots.logbook.columns import SCALES, SECONDS, ColumnMap, Direction, JointColumns
from robots.logbook.errors import LogError
from robots.logbook.tables import Table, read_table
from robots.logs import Log

MIN_ROWS = 4
"""Fewer rows are no motion."""


def read_runs(path: str | Path, columns: ColumnMap) -> list[Log]:
    """Read the runs of one file: one, or of a recording one for each episode; nothing is judged but the form.

    Raises `LogError` for a column that is not there or a run of less than `MIN_ROWS` rows.
    """
    table = read_table(path, columns.array)
    runs = np.split(np.arange(len(_column(table, columns.time.column))), table.starts[1:])
    names = [table.path.stem if len(runs) == 1 else f"{table.path.stem}#{i}" for i in range(len(runs))]
    logs = [_run(table, columns, name, rows) for name, rows in zip(names, runs, strict=True) if len(rows) >= MIN_ROWS]
    if not logs:
        raise LogError(path, f"{len(runs[0])} rows", valid=f"at least {MIN_ROWS} in a run")
    return logs


def _run(table: Table, columns: ColumnMap, name: str, rows: np.ndarray) -> Log:
    time = SECONDS[columns.time.unit] * _column(table, columns.time.column)[rows]
    joints = list(columns.joints.values())
    pos = np.stack([_position(table, joint)[rows] for joint in joints], -1)
    vel = [_velocity(table, joint, rows, time, pos[:, i]) for i, joint in enumerate(joints)]
    driven = [joint for joint in joints if joint.command is not None]
    commands = [joint.command_scale * _column(table, str(joint.command))[rows] for joint in driven]
    measured = [_column(table, joint.torque)[rows] for joint in driven if joint.torque in table.columns]
    return Log(
        name,
        time,
        pos,
        np.stack(vel, -1),
        np.stack(commands, -1) if commands else np.zeros((len(rows), 0)),
        np.stack(measured, -1) if measured and len(measured) == len(driven) else None,
    )


def _column(table: Table, name: str) -> np.ndarray:
    if name not in table.columns:
        raise LogError(table.path, f"no column '{name}'", valid=nearest(name, tuple(table.columns)))
    return table.columns[name]


def _position(table: Table, joint: JointColumns) -> np.ndarray:
    """Angle or distance; of a cosine and a sine, unwrapped."""
    if isinstance(joint.pos, Direction):
        return np.unwrap(np.arctan2(_column(table, joint.pos.sin), _column(table, joint.pos.cos)))
    return SCALES[joint.unit] * _column(table, joint.pos)


def _velocity(table: Table, joint: JointColumns, rows: np.ndarray, time: np.ndarray, pos: np.ndarray) -> np.ndarray:
    if joint.vel is not None:
        return SCALES[joint.unit] * _column(table, joint.vel)[rows]
    with np.errstate(divide="ignore", invalid="ignore"):  # a clock that stands is found by the checks
        return np.gradient(pos, time)
