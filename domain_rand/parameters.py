"""THE table of physical quantities that may differ between worlds: one row, one quantity.

A row names where the value lives (`group`, `field`) in whatever simulates the robot. A simulated world offers
`names(group)`, `nominal(group, name, field)`, `write(group, name, field, value)` and `read(group, name, field)`;
nothing else is needed to randomise a new quantity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Group = Literal["link", "joint", "signal", "world", "base", "goal"]
Op = Literal["set", "scale", "add"]


class Randomizable(Protocol):
    """What a simulated world offers to the randomiser. Values are floats in the table's units."""

    def names(self, group: Group) -> tuple[str, ...]: ...
    def nominal(self, group: Group, name: str, field: str) -> float: ...
    def write(self, group: Group, name: str, field: str, value: float) -> None: ...
    def read(self, group: Group, name: str, field: str) -> float: ...


@dataclass(frozen=True, slots=True)
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
    # body
    Parameter("link_mass", "link", "mass", "kg", 1e-4, 1e4, "mass of a link; its inertia scales with it"),
    Parameter("link_inertia", "link", "inertia", "1", 1e-2, 1e2, "rotational inertia alone, relative to nominal"),
    Parameter("linear_damping", "link", "linear_damping", "1/s", 0, 10, "loss of linear velocity, as in air"),
    Parameter("angular_damping", "link", "angular_damping", "1/s", 0, 10, "loss of angular velocity, as in air"),
    # contact
    Parameter("lateral_friction", "link", "lateral_friction", "1", 0, 10, "Coulomb friction of the surface"),
    Parameter("rolling_friction", "link", "rolling_friction", "1", 0, 1, "resistance to rolling on the surface"),
    Parameter("spinning_friction", "link", "spinning_friction", "1", 0, 1, "resistance to turning on the spot"),
    Parameter("restitution", "link", "restitution", "1", 0, 1, "share of the speed kept in a bounce"),
    Parameter("contact_stiffness", "link", "contact_stiffness", "N/m", 0, 1e9, "spring of the surface when pressed"),
    Parameter("contact_damping", "link", "contact_damping", "N·s/m", 0, 1e7, "damper of the surface when pressed"),
    # motor
    Parameter("motor_gain", "joint", "gain", "1", -10, 10, "commanded to produced torque; negative = wired backwards"),
    Parameter("motor_strength", "joint", "strength", "1", 0, 10, "scale of torque and its limit; weak < 1, dead = 0"),
    Parameter("motor_delay", "joint", "delay", "s", 0, 1, "age of the command that acts"),
    Parameter("motor_dead_band", "joint", "dead_band", "N·m", 0, 1e3, "commands smaller than this produce nothing"),
    Parameter("motor_torque_limit", "joint", "torque_limit", "N·m", 0, 1e4, "largest torque the motor produces"),
    Parameter("motor_speed_limit", "joint", "speed_limit", "rad/s", 1e-3, 1e6, "speed at which no torque is left"),
    Parameter("motor_kp", "joint", "kp", "N·m/rad", 0, 1e5, "position gain of the drive"),
    Parameter("motor_kd", "joint", "kd", "N·m·s/rad", 0, 1e4, "velocity gain of the drive"),
    # gear and joint
    Parameter("joint_viscous", "joint", "viscous", "N·m·s/rad", 0, 1e3, "friction proportional to joint velocity"),
    Parameter("joint_coulomb", "joint", "coulomb", "N·m", 0, 1e3, "dry friction, opposing motion"),
    Parameter("joint_load_friction", "joint", "load_friction", "1", 0, 1, "dry friction for each torque of the motor"),
    Parameter("reflected_inertia", "joint", "reflected_inertia", "kg·m²", 0, 1e2, "rotor inertia seen at the joint"),
    Parameter("backlash", "joint", "backlash", "rad", 0, 1, "free play of the gear, edge to edge"),
    Parameter("encoder_offset", "joint", "encoder_offset", "rad", -3.2, 3.2, "measured minus true joint position"),
    Parameter("joint_locked", "joint", "locked", "1", 0, 1, "1 = the joint is stuck where it is, 0 = it moves"),
    # sensor
    Parameter("signal_noise", "signal", "noise", "signal unit", 0, 1e3, "standard deviation of white sensor noise"),
    Parameter("signal_bias", "signal", "bias", "signal unit", -1e3, 1e3, "constant sensor offset"),
    Parameter("signal_delay", "signal", "delay", "s", 0, 1, "age of the reading that arrives"),
    Parameter("signal_quantum", "signal", "quantum", "signal unit", 0, 1e3, "step between two readings; 0 = none"),
    Parameter("signal_dropout", "signal", "dropout", "1", 0, 1, "probability that a reading is not updated"),
    Parameter("signal_period", "signal", "period", "s", 0, 10, "time between updates; 0 = every control step"),
    # surroundings
    Parameter("gravity", "world", "gravity", "m/s²", 0, 50, "downward acceleration"),
    Parameter("slope_x", "world", "slope_x", "rad", -1, 1, "tilt of the ground along x"),
    Parameter("slope_y", "world", "slope_y", "rad", -1, 1, "tilt of the ground along y"),
    Parameter("push_force", "world", "push_force", "N", 0, 1e4, "size of the pushes that hit the base"),
    Parameter("push_interval", "world", "push_interval", "s", 0, 1e3, "mean time between pushes; 0 = none"),
    # computer and supply
    Parameter("control_jitter", "world", "control_jitter", "s", 0, 0.1, "standard deviation of the control period"),
    Parameter("command_dropout", "world", "command_dropout", "1", 0, 1, "probability that a command does not arrive"),
    Parameter("supply_sag", "world", "supply_sag", "1", 0, 1, "share of the torque lost at full load of all motors"),
    # load
    Parameter("payload_mass", "base", "payload_mass", "kg", 0, 1e3, "extra point mass carried by the base"),
    Parameter("payload_x", "base", "payload_x", "m", -10, 10, "forward position of the payload"),
    Parameter("payload_y", "base", "payload_y", "m", -10, 10, "leftward position of the payload"),
    Parameter("payload_z", "base", "payload_z", "m", -10, 10, "upward position of the payload"),
    # what is rewarded, where the task keeps it hidden
    Parameter("goal_heading", "goal", "heading", "rad", -3.2, 3.2, "rewarded direction; 0 = the world's x axis"),
    Parameter("goal_velocity", "goal", "velocity", "m/s", -100, 100, "forward velocity that is rewarded"),
    Parameter("goal_x", "goal", "x", "m", -1e3, 1e3, "where the goal is along the world's x axis"),
    Parameter("goal_y", "goal", "y", "m", -1e3, 1e3, "where the goal is along the world's y axis"),
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
