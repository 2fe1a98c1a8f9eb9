"""What a run can tell about a robot and what it cannot, in sentences that follow from its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from robots.logbook.checks import Machine
from robots.logbook.estimates import DRY_VEL
from robots.logs import Log

FAST = 1.0
"""Velocity [rad/s] beyond which viscous friction stands out against dry friction."""

DISTINCT = 0.3
"""Share of the misfit that a lag must remove to count as seen."""


def tells(log: Log, machine: Machine, lags: dict[str, tuple[float, float]]) -> list[str]:
    """Return sentences about what can be identified from this run; `lags` as from `response_lag`, by driven joint."""
    sentences = [sentence for j, name in enumerate(machine.joints) for sentence in _of_joint(log, j, name)]
    sentences += _of_commands(log, machine, lags)
    if log.torque is None:
        sentences.append(
            "No measured torque: a factor on gain and frictions looks the same as its inverse on all masses."
        )
    return sentences


def _of_joint(log: Log, j: int, name: str) -> Iterator[str]:
    fastest, span = float(np.abs(log.joint_vel[:, j]).max()), float(np.ptp(log.joint_pos[:, j]))
    reverses = int(np.sum(np.diff(np.sign(log.joint_vel[np.abs(log.joint_vel[:, j]) > DRY_VEL, j])) != 0))
    moved = f"{name} moves over {span:.3g} rad, at up to {fastest:.3g} rad/s, and turns back {reverses} times"
    if fastest < 2 * DRY_VEL:
        yield f"{moved}: it hardly moves, so its friction and inertia cannot be told."
    elif fastest < FAST:
        yield f"{moved}: dry friction can be told, viscous friction hardly from it."
    elif reverses < 2:
        yield f"{moved}: dry and viscous friction can hardly be told apart."
    else:
        yield f"{moved}: dry and viscous friction can be told apart."


def _of_commands(log: Log, machine: Machine, lags: dict[str, tuple[float, float]]) -> Iterator[str]:
    for j, (joint, most) in enumerate(zip(machine.driven, machine.largest, strict=True)):
        if j >= log.command.shape[1] or np.ptp(log.command[:, j]) == 0:
            yield f"{joint.name} is never commanded: its motor's gain, limit and delay cannot be told."
            continue
        reach = float(np.abs(log.command[:, j]).max()) / most
        if reach < 0.9:
            yield f"The command of {joint.name} reaches {reach:.0%} of its limit: what happens there cannot be told."
        lag, distinct = lags[joint.name]
        if distinct < DISTINCT:
            yield f"The command of {joint.name} changes too slowly, or matters too little, for its delay to be seen."
        else:
            yield f"The command of {joint.name} acts about {1e3 * lag:.0f} ms late ({distinct:.0%} less misfit)."
