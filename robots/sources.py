"""Where a contract signal gets its true value: a named accessor of the robot's view, with names in brackets or none.

`joint_vel` reads every actuated joint, `joint_vel(pole)` one joint by name, `contact(FL_toe, FR_toe)` two links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter

from domain_rand.schema import ConfigError, nearest
from robots.view import RobotView

Reader = Callable[[RobotView], Sequence[float]]

PLAIN: dict[str, Reader] = {
    "joint_pos": attrgetter("measured_joint_pos"),
    **{
        name: attrgetter(name)
        for name in (
            "joint_vel",
            "joint_torque",
            "passive_joint_pos",
            "passive_joint_vel",
            "base_pos_world",
            "base_height",
            "base_quat_xyzw",
            "base_lin_vel_world",
            "base_ang_vel_world",
            "base_lin_vel_body",
            "base_ang_vel_body",
            "projected_gravity",
            "last_action",
        )
    },
}
"""Sources that need no name."""

NAMED: dict[str, Callable[[RobotView, str], Sequence[float]]] = {
    "joint_pos": lambda robot, joint: (robot.measured_joint_pos_of(joint),),
    "joint_vel": lambda robot, joint: (robot.joint_vel_of(joint),),
    "joint_direction": lambda robot, joint: robot.joint_direction_of(joint),
    "link_pos_world": lambda robot, link: robot.link_pos_world(link),
    "link_quat_xyzw": lambda robot, link: robot.link_quat_xyzw(link),
    "link_lin_vel_world": lambda robot, link: robot.link_lin_vel_world(link),
    "contact": lambda robot, link: (float(robot.contact(link)),),
    "contact_force": lambda robot, link: (robot.contact_force(link),),
    "object_pos_world": lambda robot, name: robot.object_pos_world(name),
    "object_quat_xyzw": lambda robot, name: robot.object_quat_xyzw(name),
}
"""Sources that read one joint, link or object; several names are read one after the other."""

_CALL = re.compile(r"(\w+)(?:\(([^()]*)\))?")


def find_source(source: str, commands: tuple[str, ...] = ()) -> Reader:
    """Return the reader of a source as written in a contract; raises `ConfigError` naming the nearest.

    `commands` are the task's own signals, which would have been valid too.
    """
    match = _CALL.fullmatch(source.strip())
    name, arguments = match.groups() if match else (source, None)
    table = PLAIN if arguments is None else NAMED
    if name not in table:
        raise ConfigError(f"unknown signal source '{source}'; {nearest(name, (*table, *commands))}")
    if arguments is None:
        return PLAIN[name]
    return _several(NAMED[name], [argument.strip() for argument in arguments.split(",")])


def _several(read: Callable[[RobotView, str], Sequence[float]], names: list[str]) -> Reader:
    if len(names) == 1:
        (name,) = names
        return lambda robot: read(robot, name)

    def reader(robot: RobotView) -> list[float]:
        return [value for name in names for value in read(robot, name)]

    return reader
