"""What a task or a sensor may ask about the simulated robot: true values by physical name, with frame and unit.

Everything is the truth at the end of the last control period; sensors distort it later. Joint vectors list the actuated
joints in contract order; `joint_pos_of` and its kin take any joint by name, passive ones included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import Any, NamedTuple, Protocol

from domain_rand.schema import ConfigError, nearest
from robots.contract import Contract
from robots.rotation import Quat, Vec3, matrix, turn_back


class BaseState(NamedTuple):
    """Pose and velocity of the base's link frame, in the world frame."""

    pos_world: Vec3
    quat_xyzw: Quat
    lin_vel_world: Vec3
    ang_vel_world: Vec3


@dataclass(slots=True)
class Goal:
    """What the world rewards where its task keeps it hidden: drawn with the world, the same in all its episodes.

    `heading` [rad] in the world frame, `velocity` [m/s], `x` and `y` [m, world]; a task uses what it needs of it.
    """

    heading: float = 0.0
    velocity: float = 0.0
    x: float = 0.0
    y: float = 0.0


class _BaseInBody(NamedTuple):
    """The base's state, and in its own frame its velocities and gravity."""

    world: BaseState
    lin_vel: Vec3
    ang_vel: Vec3
    gravity: Vec3


States = Sequence[tuple[float, float, Any, Any]]
"""Per joint, as PyBullet reports it: position [rad], velocity [rad/s], reaction forces and motor torque (not used)."""


class World(Protocol):
    """What a view reads of a simulator; joint vectors list the actuated joints first, then the passive ones."""

    states: States
    torques: Sequence[float]
    joint_names: tuple[str, ...]

    @property
    def gravity_world(self) -> Vec3: ...
    def base_state(self) -> BaseState: ...
    def link_pose(self, link: str) -> tuple[Vec3, Quat]: ...
    def link_vel(self, link: str) -> tuple[Vec3, Vec3]: ...
    def contact_force(self, link: str) -> float: ...
    def object_pose(self, name: str) -> tuple[Vec3, Quat]: ...


class RobotView:
    """The robot's true state, read from its world when asked."""

    def __init__(self, contract: Contract, world: World) -> None:
        self.contract = contract
        self.control_dt = contract.control_dt
        self.joint_count = len(contract.joints)
        self.time = 0.0
        self.sent_command: list[float] = []
        self.encoder_offset: list[float] | None = None
        self.goal = Goal()
        self._world = world
        self._index = {name: i for i, name in enumerate(world.joint_names)}
        self._has_passive = len(world.joint_names) > self.joint_count
        self._base: _BaseInBody | None = None
        self._links: dict[str, tuple[Vec3, Quat]] = {}
        self._default = [joint.default_pos for joint in contract.joints]

    def refresh(self, sent_command: list[float], time: float) -> None:
        """Forget what was read: the world has moved on, under this command, to this time [s] in the episode."""
        self.sent_command, self.time = sent_command, time
        self._base = None
        self._links = {}

    # joints [rad, rad/s, N·m]; of a prismatic one [m, m/s, N]

    @property
    def joint_pos(self) -> list[float]:
        """Positions of the actuated joints [rad]."""
        return [state[0] for state in self._actuated]

    @property
    def joint_vel(self) -> list[float]:
        """Velocities of the actuated joints [rad/s]."""
        return [state[1] for state in self._actuated]

    @property
    def joint_torque(self) -> Sequence[float]:
        """Torques of the actuated joints in the last physics step, what friction takes included [N·m]."""
        return self._world.torques[: self.joint_count]

    @property
    def joint_pos_offset(self) -> list[float]:
        """How far the actuated joints are from the default pose [rad]."""
        return [state[0] - default for state, default in zip(self._actuated, self._default, strict=True)]

    @property
    def measured_joint_pos(self) -> list[float]:
        """What the encoders say, before noise: `joint_pos` plus each encoder's offset [rad]."""
        if self.encoder_offset is None:
            return self.joint_pos
        return [state[0] + offset for state, offset in zip(self._actuated, self.encoder_offset, strict=False)]

    @property
    def passive_joint_pos(self) -> list[float]:
        """Positions of the joints without motor, in the model's order [rad]."""
        return [state[0] for state in self._world.states[self.joint_count :]]

    @property
    def passive_joint_vel(self) -> list[float]:
        """Velocities of the joints without motor, in the model's order [rad/s]."""
        return [state[1] for state in self._world.states[self.joint_count :]]

    def joint_pos_of(self, joint: str) -> float:
        """Position of one joint, actuated or passive [rad]."""
        return self._world.states[self.joint_index(joint)][0]

    def measured_joint_pos_of(self, joint: str) -> float:
        """What one joint's encoder says, before noise [rad]."""
        index = self.joint_index(joint)
        offset = 0.0 if self.encoder_offset is None else self.encoder_offset[index]
        return self._world.states[index][0] + offset

    def joint_vel_of(self, joint: str) -> float:
        """Velocity of one joint, actuated or passive [rad/s]."""
        return self._world.states[self.joint_index(joint)][1]

    def joint_direction_of(self, joint: str) -> tuple[float, float]:
        """Cosine and sine of what one joint's encoder says: an angle without its jump at π."""
        angle = self.measured_joint_pos_of(joint)
        return cos(angle), sin(angle)

    def joint_index(self, joint: str) -> int:
        """Where a joint stands in the world's order; raises `ConfigError` naming the nearest."""
        if joint not in self._index:
            raise ConfigError(f"no joint '{joint}'; {nearest(joint, tuple(self._index))}")
        return self._index[joint]

    # the base's link frame, not its centre of mass

    @property
    def base_pos_world(self) -> Vec3:
        """Position of the base [m, world]."""
        return (self._base or self._read_base()).world.pos_world

    @property
    def base_height(self) -> tuple[float]:
        """Height of the base above the floor plane [m]."""
        return ((self._base or self._read_base()).world.pos_world[2],)

    @property
    def base_quat_xyzw(self) -> Quat:
        """Orientation of the base: from its frame to the world's."""
        return (self._base or self._read_base()).world.quat_xyzw

    @property
    def base_lin_vel_world(self) -> Vec3:
        """Velocity of the base [m/s, world]."""
        return (self._base or self._read_base()).world.lin_vel_world

    @property
    def base_ang_vel_world(self) -> Vec3:
        """Angular velocity of the base [rad/s, world]."""
        return (self._base or self._read_base()).world.ang_vel_world

    @property
    def base_lin_vel_body(self) -> Vec3:
        """Velocity of the base [m/s, base frame]."""
        return (self._base or self._read_base()).lin_vel

    @property
    def base_ang_vel_body(self) -> Vec3:
        """Angular velocity of the base, as a gyroscope reads it [rad/s, base frame]."""
        return (self._base or self._read_base()).ang_vel

    @property
    def projected_gravity(self) -> Vec3:
        """Unit vector of gravity in the base frame: (0, 0, −1) when level."""
        return (self._base or self._read_base()).gravity

    # links and objects

    def link_pos_world(self, link: str) -> Vec3:
        """Position of a link's frame [m, world]."""
        return (self._links.get(link) or self._read_link(link))[0]

    def link_quat_xyzw(self, link: str) -> Quat:
        """Orientation of a link's frame: from it to the world's."""
        return (self._links.get(link) or self._read_link(link))[1]

    def link_lin_vel_world(self, link: str) -> Vec3:
        """Velocity of a link's frame [m/s, world]."""
        return self._world.link_vel(link)[0]

    def contact(self, link: str) -> bool:
        """Whether a link presses against something that is not the robot."""
        return self._world.contact_force(link) > 0.0

    def contact_force(self, link: str) -> float:
        """Sum of the normal forces on a link from what is not the robot [N]."""
        return self._world.contact_force(link)

    def object_pos_world(self, name: str) -> Vec3:
        """Position of an extra object's frame [m, world]."""
        return self._world.object_pose(name)[0]

    def object_quat_xyzw(self, name: str) -> Quat:
        """Orientation of an extra object's frame: from it to the world's."""
        return self._world.object_pose(name)[1]

    # commands

    @property
    def last_action(self) -> list[float]:
        """What was sent in the last period (nothing yet: the safe command), as a normalised action."""
        return self.contract.action.normalized(self.sent_command)

    @property
    def _actuated(self) -> States:
        states = self._world.states
        return states[: self.joint_count] if self._has_passive else states

    def _read_link(self, link: str) -> tuple[Vec3, Quat]:
        """Read a link once a control period: a reward and a signal may both ask for it."""
        self._links[link] = pose = self._world.link_pose(link)
        return pose

    def _read_base(self) -> _BaseInBody:
        """Read the base once a control period: everything about it is asked for several times."""
        state = self._world.base_state()
        turn = matrix(state[1])
        gravity = turn_back(turn, self._world.gravity_world)
        self._base = base = _BaseInBody(state, turn_back(turn, state[2]), turn_back(turn, state[3]), gravity)
        return base
