"""Effects that no randomisation range describes: what the held-out twin has and training never saw."""

from __future__ import annotations

from collections.abc import Sequence
from math import sin

from robots.simulated import Effect

COGGING_TORQUE, COGGING_POLES = 0.25, 14
CABLE_STIFFNESS, CABLE_REST = 0.35, -0.6


def cogging(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
    """Torque ripple of a cheap motor: the rotor prefers fourteen angles a turn."""
    return [-COGGING_TORQUE * sin(COGGING_POLES * q) for q in joint_pos]


def cable(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
    """A cable harness that pulls every joint towards one side like a weak spring."""
    return [-CABLE_STIFFNESS * (q - CABLE_REST) for q in joint_pos]


EFFECTS: dict[str, Effect | None] = {"none": None, "cogging": cogging, "cable": cable}
