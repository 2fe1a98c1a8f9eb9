"""Effects that no randomisation range describes: what the held-out twin has and training never saw."""

from __future__ import annotations

from collections.abc import Sequence
from math import sin

from domain_rand.schema import ConfigError, nearest
from robots.simulated import Effect

COGGING_TORQUE, COGGING_POLES = 0.25, 14
CABLE_STIFFNESS, CABLE_REST = 0.35, -0.6
BUMPER_STIFFNESS, BUMPER_DAMPING, BUMPER_AT = 100.0, 10.0, 0.0


def cogging(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
    """Torque ripple of a cheap motor: the rotor prefers fourteen angles a turn."""
    return [-COGGING_TORQUE * sin(COGGING_POLES * q) for q in joint_pos]


def cable(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
    """A cable harness that pulls every joint towards one side like a weak spring."""
    return [-CABLE_STIFFNESS * (q - CABLE_REST) for q in joint_pos]


def bumper(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
    """Something soft in the way on the positive side of every joint: it pushes back, and never pulls."""
    return list(map(_pushed_back, joint_pos, joint_vel))


def _pushed_back(pos: float, vel: float) -> float:
    depth = pos - BUMPER_AT
    return -max(0.0, BUMPER_STIFFNESS * depth + BUMPER_DAMPING * vel) if depth > 0 else 0.0


EFFECTS: dict[str, Effect | None] = {"none": None, "cogging": cogging, "cable": cable, "bumper": bumper}


def effect_named(name: str) -> Effect | None:
    """Return an effect, or the sum of several joined by '+'; raises `ConfigError` naming the nearest valid one."""
    parts = [part.strip() for part in name.split("+")]
    for part in parts:
        if part not in EFFECTS:
            raise ConfigError(f"unknown effect '{part}'; {nearest(part, tuple(EFFECTS))}; join several with '+'")
    effects = [effect for part in parts if (effect := EFFECTS[part]) is not None]
    return summed(effects) if len(effects) > 1 else next(iter(effects), None)


def summed(effects: Sequence[Effect]) -> Effect:
    """Return the effect that acts like all of these at once."""

    def total(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
        torques = [effect(time, joint_pos, joint_vel) for effect in effects]
        return [sum(per_joint) for per_joint in zip(*torques, strict=True)]

    return total
