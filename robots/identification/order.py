"""Whether another order of the joints explains a log far better than the one it was mapped with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from robots.identification.predictor import Predictor
from robots.identification.segments import Run, Segments, cut
from robots.logbook.errors import LogError
from robots.logs import Log

GOOD, POOR = 0.02, 0.25
"""Share of the motion left unexplained up to which an order is beyond doubt, and from which it is doubtful."""

BETTER, FAR_BETTER = 0.5, 0.1
"""Share of that which another order must leave to be believed instead, of a doubtful one and of a fair one."""

SEGMENTS = 24


def require_order(predictor: Predictor, runs: Sequence[Run], names: Sequence[str], horizon: float) -> None:
    """Raise `LogError` when the robot as its files say foretells the runs far better with two joints exchanged."""
    own = unexplained(predictor, cut(runs, horizon, predictor.dt, SEGMENTS))
    if own <= GOOD:
        return
    share = BETTER if own > POOR else FAR_BETTER
    for what, exchanged in exchanges(runs, names):
        other = unexplained(predictor, cut(exchanged, horizon, predictor.dt, SEGMENTS))
        if other < share * own:
            found = f"{what} exchanged, {other:.0%} of the motion is left unexplained; as mapped, {own:.0%}"
            raise LogError(runs[0].log.name, f"with {found}", row=0, valid="columns mapped to their own joints")


def unexplained(predictor: Predictor, segments: Segments) -> float:
    """Return the squared error of the robot as it is, as a share of that of foretelling no motion; mean over joints."""
    joints = segments.began.shape[1]
    error = (predictor({}, segments) - segments.target).reshape(-1, joints)
    motion = (segments.stillness - segments.target).reshape(-1, joints)
    squares = np.maximum((motion**2).mean(0), 1e-12)
    return float(np.mean((error**2).mean(0) / squares))


def exchanges(runs: Sequence[Run], names: Sequence[str]) -> Iterator[tuple[str, list[Run]]]:
    """Yield every pair of driven joints, and the runs with all their columns, or only their commands, exchanged."""
    driven = runs[0].log.command.shape[1]
    for i, j in combinations(range(driven), 2):
        order = list(range(driven))
        order[i], order[j] = j, i
        whole = [*order, *range(driven, runs[0].log.joint_pos.shape[1])]
        both = f"{names[i]} and {names[j]}"
        yield both, [replace(run, log=_reordered(run.log, whole, order)) for run in runs]
        yield (
            f"the commands of {both}",
            [replace(run, log=replace(run.log, command=run.log.command[:, order])) for run in runs],
        )


def _reordered(log: Log, joints: list[int], driven: list[int]) -> Log:
    return replace(
        log, joint_pos=log.joint_pos[:, joints], joint_vel=log.joint_vel[:, joints], command=log.command[:, driven]
    )
