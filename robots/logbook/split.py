"""Which part of the logs is learnt from, and which is kept to judge what was learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robots.logbook.checks import MIN_SECONDS
from robots.logs import Log

WHOLE_RUNS = 4
"""From so many runs on, whole ones are kept for validation."""


def split(logs: Sequence[Log], share: float = 0.25) -> tuple[list[Log], list[Log]]:
    """Return runs for training and for validation: of many runs whole ones, evenly taken; of few the end of each.

    Of several runs whose ends would be too short to judge by, the last whole one is kept.
    """
    short = len(logs) > 1 and share * min(np.ptp(log.time) for log in logs) < MIN_SECONDS
    if len(logs) >= WHOLE_RUNS or short:
        every = min(len(logs), max(2, round(1 / share)))
        return [log for i, log in enumerate(logs) if i % every != every - 1], list(logs[every - 1 :: every])
    cuts = [int(np.searchsorted(log.time, log.time[-1] - share * np.ptp(log.time))) for log in logs]
    early = [part(log, slice(None, cut), "train") for log, cut in zip(logs, cuts, strict=True)]
    return early, [part(log, slice(cut, None), "validation") for log, cut in zip(logs, cuts, strict=True)]


def part(log: Log, rows: slice, label: str) -> Log:
    """Return some rows of a run, under its name and a label."""
    torque = None if log.torque is None else log.torque[rows]
    name = f"{log.name}/{label}"
    return Log(name, log.time[rows], log.joint_pos[rows], log.joint_vel[rows], log.command[rows], torque)
