"""Recordings of real robots as published: an `.npz` with `columns` (names) and `data` `[rows, columns]`.

Joints are numbered from 1 in contract order: `time` [s], `pos_meas1` [rad], `vel_meas1` [rad/s], `tau_con1` (commanded)
and, where it was recorded, `tau_meas1` (from the drive's current) [N·m]. Other columns are ignored.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain_rand.schema import ConfigError, nearest

MAX_GAP = 0.05
"""Longest time between two rows [s] over which a command can be taken to have stood."""

MAX_LAG, LAG_STEP = 0.06, 0.001
"""Range and step in which the command delay is sought [s]."""

SUFFIXES = (".npz", ".mcap")
"""What a folder of logs is searched for: published ones and recordings."""

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Log:
    """One run: `time` `[rows]` strictly increasing, the rest `[rows, joints]`; `torque` where it was measured."""

    name: str
    time: np.ndarray
    joint_pos: np.ndarray
    joint_vel: np.ndarray
    command: np.ndarray
    torque: np.ndarray | None = None

    def commands_at(self, times: np.ndarray) -> np.ndarray:
        """Return the command that stood at each time, `[…, joints]`: that of the last row, before the first its own."""
        rows = np.searchsorted(self.time, times + 1e-9, side="right") - 1
        return self.command[np.maximum(rows, 0)]

    def positions_at(self, times: np.ndarray) -> np.ndarray:
        """Return measured positions at any times within the run, `[…, joints]`, linear between rows [rad]."""
        return np.stack([np.interp(times, self.time, pos) for pos in self.joint_pos.T], -1)


def read_log(path: str | Path, joints: int) -> Log:
    """Read one run of a robot with so many joints; raises `ConfigError` naming the file, the column and the row."""
    path = Path(path)
    return log_of(_columns(path), joints, path)


def log_of(columns: Columns, joints: int, path: Path) -> Log:
    """Make a log, named after its file, of columns that are called as above; raises `ConfigError`."""
    time = _time(columns, path)
    wanted = {kind: _joint_columns(columns, kind, joints, path) for kind in ("pos_meas", "vel_meas", "tau_con")}
    measured = _joint_columns(columns, "tau_meas", joints, path) if "tau_meas1" in columns else None
    return Log(path.stem, time, wanted["pos_meas"], wanted["vel_meas"], wanted["tau_con"], measured)


def log_files(paths: Sequence[str | Path]) -> list[Path]:
    """Return the logs that files and folders name, a folder's in order; raises `ConfigError` where there are none."""
    found = [file for path in map(Path, paths) for file in (_logs_in(path) if path.is_dir() else [path])]
    if not found:
        raise ConfigError(f"{', '.join(map(str, paths)) or 'no path given'}: no {' or '.join(SUFFIXES)} in there")
    return found


def command_lag(logs: Sequence[Log], torque_limits: Sequence[float]) -> float:
    """Return by how much measured torque lags commanded torque [s]: the shift that fits best over all runs.

    Joints that were commanded nothing do not count. Raises `ConfigError` when no run tells.
    """
    lags = np.arange(0.0, MAX_LAG, LAG_STEP)
    costs = [cost for log in logs for cost in _lag_costs(log, lags, torque_limits)]
    if not costs:
        raise ConfigError(
            "the command delay cannot be estimated: no run has tau_meas beside a changing tau_con; give it"
        )
    return float(lags[np.sum(costs, axis=0).argmin()])


def _logs_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def _lag_costs(log: Log, lags: np.ndarray, torque_limits: Sequence[float]) -> list[np.ndarray]:
    """Squared misfit at each lag, of each joint that was commanded something; the first rows lack a past."""
    if log.torque is None:
        return []
    limits = np.asarray(torque_limits)
    settled = log.time > log.time[0] + MAX_LAG
    misfits = []
    for lag in lags:
        asked = np.clip(log.commands_at(log.time[settled] - lag), -limits, limits)
        misfits.append(((asked - log.torque[settled]) ** 2).sum(0))
    commanded = np.ptp(log.command, axis=0) > 0
    return list(np.array(misfits)[:, commanded].T)


def _columns(path: Path) -> Columns:
    try:
        with np.load(path, allow_pickle=False) as file:
            names, data = [str(name) for name in file["columns"]], np.asarray(file["data"], dtype=np.float64)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a log; expected an .npz with 'columns' and 'data' ({error})") from None
    if data.ndim != 2 or data.shape[1] != len(names):
        raise ConfigError(f"{path}: {len(names)} columns are named, data has the shape {data.shape}")
    if len(data) < 2:
        raise ConfigError(f"{path}: {len(data)} rows are no recording")
    return dict(zip(names, data.T, strict=True))


def _column(columns: Columns, name: str, path: Path) -> np.ndarray:
    if name not in columns:
        raise ConfigError(f"{path}: no column '{name}'; {nearest(name, tuple(columns))}")
    bad = np.flatnonzero(~np.isfinite(columns[name]))
    if len(bad):
        raise ConfigError(f"{path}: {name} is not a number in {len(bad)} rows, first in row {bad[0]}")
    return columns[name]


def _joint_columns(columns: Columns, kind: str, joints: int, path: Path) -> np.ndarray:
    return np.stack([_column(columns, f"{kind}{joint + 1}", path) for joint in range(joints)], -1)


def _time(columns: Columns, path: Path) -> np.ndarray:
    time = _column(columns, "time", path)
    steps = np.diff(time)
    back = np.flatnonzero(steps <= 0)
    if len(back):
        row = back[0] + 1
        raise ConfigError(f"{path}: time does not increase in row {row}: {time[row - 1]:.6g} s, then {time[row]:.6g} s")
    gap = int(steps.argmax())
    if steps[gap] > MAX_GAP:
        raise ConfigError(f"{path}: nothing for {steps[gap]:.3g} s after row {gap}; at most {MAX_GAP} s may be missing")
    return time
