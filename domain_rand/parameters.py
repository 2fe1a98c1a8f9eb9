"""THE table of physical quantities that may differ between worlds: one row, one quantity.

A row names where the value lives (`group`, `field`) in whatever simulates the robot. A simulated world offers
`names(group)`, `nominal(group, name, field)`, `write(group, name, field, value)` and `read(group, name, field)`;
nothing else is needed to randomise a new quantity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Group = Literal["link", "joint", "signal", "world"]
Op = Literal["set", "scale", "add"]


class Randomizable(Protocol):
    """What a simulated world offers to the randomiser. Values are floats in the table's units."""

    def names(self, group: Group) -> tuple[str, ...]: ...
    def nominal(self, group: Group, name: str, field: str) -> float: ...
    def write(self, group: Group, name: str, field: str, value: float) -> None: ...
    def read(self, group: Group, name: str, field: str) -> float: ...


@dataclass(frozen=True)
class Parameter:
    """One physical quantity: where it lives, its unit, the values physics allows, and what it means."""

    name: str
    group: Group
    field: str
    unit: str
    low: float
    high: float
    meaning: str

    def check(self, value: float, where: str) -> None:
        """Raise `ValueError` when `value` is outside what physics allows."""
        if not self.low <= value <= self.high:
            raise ValueError(f"{where}: {self.name} = {value:g} {self.unit}; valid is {self.low:g} to {self.high:g}")


_ROWS = (
    Parameter("link_mass", "link", "mass", "kg", 1e-4, 1e4, "mass of a link; its inertia scales with it"),
    Parameter("motor_gain", "joint", "gain", "1", -10, 10, "commanded to produced torque; negative = wired backwards"),
    Parameter("motor_delay", "joint", "delay", "s", 0, 1, "age of the command that acts"),
    Parameter("motor_dead_band", "joint", "dead_band", "N·m", 0, 1e3, "commands smaller than this produce nothing"),
    Parameter("motor_torque_limit", "joint", "torque_limit", "N·m", 0, 1e4, "largest torque the motor produces"),
    Parameter("joint_viscous", "joint", "viscous", "N·m·s/rad", 0, 1e3, "friction proportional to joint velocity"),
    Parameter("joint_coulomb", "joint", "coulomb", "N·m", 0, 1e3, "dry friction, opposing motion"),
    Parameter("signal_noise", "signal", "noise", "signal unit", 0, 1e3, "standard deviation of white sensor noise"),
    Parameter("signal_bias", "signal", "bias", "signal unit", -1e3, 1e3, "constant sensor offset"),
    Parameter("signal_delay", "signal", "delay", "s", 0, 1, "age of the reading that arrives"),
    Parameter("gravity", "world", "gravity", "m/s²", 0, 50, "downward acceleration"),
)

TABLE: dict[str, Parameter] = {row.name: row for row in _ROWS}


def combine(op: Op, nominal: float, drawn: float) -> float:
    """Return the value to apply: f(nominal, drawn), so that repeated application never compounds."""
    match op:
        case "set":
            return drawn
        case "scale":
            return nominal * drawn
        case "add":
            return nominal + drawn


def same(a: float, b: float) -> bool:
    """Whether a value read back is the value written, up to single precision."""
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
