"""Runs cut into short pieces, each from a measured state under recorded commands to a few measured positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from robots.logbook.checks import gap_rows
from robots.logbook.errors import LogError
from robots.logs import Log
from robots.replay_log import segment_rows

PLACES = np.array([1 / 3, 2 / 3, 1.0])
"""Where in each segment positions are compared: at whole periods of the log near these shares of the horizon."""


@dataclass(frozen=True)
class Run:
    """A log, and what is known to differ in it: parameter to factor on its value (a gain that was set by hand)."""

    log: Log
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Segments:
    """`rows` are where segments begin in each run; `after` are the times compared since then [s], `[checks]`.

    `began` `[n, joints]` and `measured` `[n, checks, joints]` are positions [rad], over all runs in order.
    """

    runs: tuple[Run, ...]
    rows: tuple[np.ndarray, ...]
    after: np.ndarray
    began: np.ndarray
    measured: np.ndarray

    @property
    def target(self) -> np.ndarray:
        """Measured positions as outputs, `[n, checks · joints]`."""
        return self.measured.reshape(len(self.measured), -1)

    @property
    def stillness(self) -> np.ndarray:
        """What foretelling no motion gives for the outputs."""
        return np.broadcast_to(self.began[:, None], self.measured.shape).reshape(len(self.began), -1)


def cut(runs: Sequence[Run], horizon: float, dt: float, most: int | None = None) -> Segments:
    """Cut runs into segments of `horizon` [s], none across a gap; at most so many, evenly taken.

    No two share a reading, whose noise would make their errors alike. `dt` is the physics step; every time compared is
    a whole number of it and of the first run's period. Raises `LogError` where a run is too short for one.
    """
    runs = [replace(run, log=thawed(run.log)) for run in runs]
    period = max(1, round(float(np.median(np.diff(runs[0].log.time))) / dt))
    after = dt * period * np.unique(np.maximum(1, np.round(horizon / (dt * period) * PLACES)))
    rows = [_whole(run.log, float(after[-1])) for run in runs]
    total = sum(map(len, rows))
    if most is not None and total > most:
        chosen = set(np.linspace(0, total - 1, most).round().astype(int).tolist())
        offsets = np.cumsum([0, *map(len, rows)])
        rows = [
            own[[i for i in range(len(own)) if begin + i in chosen]] for own, begin in zip(rows, offsets, strict=False)
        ]
    measured = [run.log.positions_at(run.log.time[own, None] + after) for run, own in zip(runs, rows, strict=True)]
    began = [run.log.joint_pos[own] for run, own in zip(runs, rows, strict=True)]
    return Segments(tuple(runs), tuple(rows), after, np.concatenate(began), np.concatenate(measured))


def _whole(log: Log, horizon: float) -> np.ndarray:
    """Rows where segments begin that have a row every now and then to their end."""
    rows = segment_rows(log, horizon, apart=2 * float(np.median(np.diff(log.time))))
    gaps = log.time[gap_rows(log)]
    begins = log.time[rows][:, None]
    whole = rows[~((gaps >= begins - 1e-9) & (gaps < begins + horizon)).any(1)]
    if not len(whole):
        raise LogError(log.name, f"no {horizon:g} s without a gap", valid="at least one segment")
    return whole


def thawed(log: Log) -> Log:
    """Return the run with readings that only repeat the one before filled in between those that are new."""
    new = np.append(True, (np.diff(log.joint_pos, axis=0) != 0).any(1) | (np.diff(log.joint_vel, axis=0) != 0).any(1))
    if new.all():
        return log
    pos, vel = (
        np.stack([np.interp(log.time, log.time[new], column[new]) for column in values.T], -1)
        for values in (log.joint_pos, log.joint_vel)
    )
    return replace(log, joint_pos=pos, joint_vel=vel)


def mean_commands(log: Log, times: np.ndarray, dt: float) -> np.ndarray:
    """Return the mean of the standing command over [t, t + dt] for times `[…]`, as `[…, driven]`.

    Continuous in the times, so that a delay may be any number and has a slope.
    """
    stamps = np.concatenate([[log.time[0] - 10.0], log.time, [log.time[-1] + 10.0]])
    held = np.concatenate([log.command[:1], log.command])
    sums = np.concatenate([np.zeros((1, held.shape[1])), np.cumsum(held * np.diff(stamps)[:, None], axis=0)])
    integral = [np.interp(times + dt, stamps, own) - np.interp(times, stamps, own) for own in sums.T]
    return np.stack(integral, -1) / dt if integral else np.zeros((*np.shape(times), 0))
