"""Worlds that hold what they are told."""

from __future__ import annotations

from typing import Any

from domain_rand.parameters import TABLE, Group
from domain_rand.randomizer import Randomization

NAMES: dict[str, tuple[str, ...]] = {
    "link": ("trunk", "leg_l", "leg_r"),
    "joint": ("hip_l", "hip_r", "knee_l", "knee_r"),
    "signal": ("joint_pos", "joint_vel"),
    "world": ("world",),
    "base": ("base",),
    "goal": ("goal",),
}


class TableWorld:
    """A world with every quantity of the table, each nominally 1, or as much as physics allows."""

    def __init__(self, names: dict[str, tuple[str, ...]] = NAMES) -> None:
        self._names = names
        self._nominal = {(row.group, row.field): min(1.0, row.high) for row in TABLE.values()}
        self.values = {
            (group, name, field): value for (group, field), value in self._nominal.items() for name in names[group]
        }

    def names(self, group: Group) -> tuple[str, ...]:
        return self._names[group]

    def nominal(self, group: Group, name: str, field: str) -> float:
        return self._nominal[group, field]

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        self.values[group, name, field] = value

    def read(self, group: Group, name: str, field: str) -> float:
        return self.values[group, name, field]


def uniform(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


def scale(parameter: str, low: float = 0.5, high: float = 1.5, **more: Any) -> dict[str, Any]:
    return {"parameter": parameter, "op": "scale", "unit": "1", "draw": uniform(low, high), **more}


def randomization(groups: dict[str, Any] | None = None, **entries: Any) -> Randomization:
    return Randomization.parse({"parameters": entries, "groups": groups or {}})


def whole_table() -> Randomization:
    """Every quantity of the table, each drawn from a different kind of distribution in turn."""
    draws = (
        {"distribution": "log_uniform", "low": 0.5, "high": 1.0},
        {"distribution": "normal", "mean": 0.8, "std": 0.1, "low": 0.5, "high": 1.0},
        uniform(0.5, 1.0),
        {"distribution": "choice", "values": [0.5, 0.7, 1.0]},
        {"distribution": "mixture", "components": [uniform(0.5, 0.6), uniform(0.8, 1.0)]},
    )
    rows = list(TABLE)
    return randomization(**{name: {**scale(name), "draw": draws[i % len(draws)]} for i, name in enumerate(rows)})
