"""A point mass carried by a floating base: mass, inertia and centre of mass shift, which PyBullet cannot do to a link.

A body without shape is tied to the base by a point-to-point constraint; of an unloaded robot it is a static body far
from everything, with no constraint, and costs nothing.
"""

from __future__ import annotations

import pybullet

from robots.rotation import Vec3, cross, rotate, rotate_back
from robots.view import BaseState

NAME = "base"
PLACES = ("payload_x", "payload_y", "payload_z")
MAX_FORCE = 1e5
"""What the tie can hold [N]."""


class Payload:
    """The load of one robot; it acts from the next `attach`."""

    def __init__(self, client: int, robot: int, inertial: tuple[Vec3, tuple[float, float, float, float]]) -> None:
        self._client, self._robot, self._inertial = client, robot, inertial
        self._place = dict.fromkeys(PLACES, 0.0)
        self._tie: int | None = None
        self._changed = False
        self._uid = pybullet.createMultiBody(0, -1, -1, [0, 0, -100], physicsClientId=client)
        for damping in ({"linearDamping": 0}, {"angularDamping": 0}):
            pybullet.changeDynamics(self._uid, -1, **damping, physicsClientId=client)

    def write(self, field: str, value: float) -> None:
        """Set the mass [kg] or a coordinate in the base's frame [m]."""
        if value == self.read(field):
            return
        self._changed = True
        if field in PLACES:
            self._place[field] = value
            return
        pybullet.changeDynamics(self._uid, -1, mass=value, physicsClientId=self._client)
        # A point has no inertia; the solver wants some, which a tie that lets it turn keeps from the robot.
        inertia = [1e-3 * value] * 3
        pybullet.changeDynamics(self._uid, -1, localInertiaDiagonal=inertia, physicsClientId=self._client)

    def read(self, field: str) -> float:
        """Return what the simulator holds; of coordinates, what it will at the next `attach`."""
        if field in PLACES:
            return self._place[field]
        return pybullet.getDynamicsInfo(self._uid, -1, physicsClientId=self._client)[0]

    def attach(self, base: BaseState, again: bool = True) -> None:
        """Put the mass where it belongs on a base in this state; without `again`, only if it has changed since."""
        if not (again or self._changed):
            return
        self._changed = False
        if self._tie is not None:
            pybullet.removeConstraint(self._tie, physicsClientId=self._client)
            self._tie = None
        if self.read("payload_mass") > 0.0:
            self._move_to(base)
            self._tie_to_base()

    def _move_to(self, base: BaseState) -> None:
        arm = rotate(base.quat_xyzw, self._offset)
        swing = cross(base.ang_vel_world, arm)
        pos = [p + a for p, a in zip(base.pos_world, arm, strict=True)]
        vel = [v + s for v, s in zip(base.lin_vel_world, swing, strict=True)]
        pybullet.resetBasePositionAndOrientation(self._uid, pos, [0, 0, 0, 1], physicsClientId=self._client)
        pybullet.resetBaseVelocity(self._uid, vel, [0, 0, 0], physicsClientId=self._client)

    def _tie_to_base(self) -> None:
        """A constraint's frame is seen from the centre of mass, not from the link's frame."""
        centre, quat = self._inertial
        x, y, z = self._offset
        pivot = rotate_back(quat, (x - centre[0], y - centre[1], z - centre[2]))
        self._tie = pybullet.createConstraint(
            self._robot,
            -1,
            self._uid,
            -1,
            pybullet.JOINT_POINT2POINT,
            [0, 0, 0],
            pivot,
            [0, 0, 0],
            physicsClientId=self._client,
        )
        pybullet.changeConstraint(self._tie, maxForce=MAX_FORCE, physicsClientId=self._client)

    @property
    def _offset(self) -> Vec3:
        return self._place["payload_x"], self._place["payload_y"], self._place["payload_z"]
