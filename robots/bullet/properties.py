"""The physical properties of links and world by name: nominal at load, written in calls of their own, read back.

A write of mass together with damping lands on the base (bullet3 #3314); `mass=` recomputes inertia from the collision
shape, so inertia is written after it, always from nominal.
"""

from __future__ import annotations

from math import cos, hypot, sin

import pybullet

from robots.bullet.loading import Body, has_shape
from robots.rotation import Vec3, rotate_back

CONTACT = {
    "lateral_friction": ("lateralFriction", 1),
    "restitution": ("restitution", 5),
    "rolling_friction": ("rollingFriction", 6),
    "spinning_friction": ("spinningFriction", 7),
}
"""Field to PyBullet's name for writing it and its place in `getDynamicsInfo`."""

SOFTNESS = ("contact_damping", "contact_stiffness")
DAMPING = {"linear_damping": "linearDamping", "angular_damping": "angularDamping"}
RIGID = 1e18
"""Contact stiffness [N/m] of a contact that had one and is to be rigid again; PyBullet has no way back."""


class Link:
    """One link with mass: what it was at load and what has been written since."""

    def __init__(self, client: int, body: int, index: int, collides: bool) -> None:
        self._client, self._body, self._index = client, body, index
        info = self._info()
        self.nominal_mass: float = info[0]
        self.nominal_inertia: Vec3 = info[2]
        self.inertia_scale = 1.0
        self.reflected: Vec3 = (0.0, 0.0, 0.0)
        self._inertial_quat = info[4]
        self._held: dict[str, float] = dict.fromkeys(SOFTNESS, 0.0)
        self._nominal = {field: info[place] if collides else 0.0 for field, (_, place) in CONTACT.items()}
        self._nominal |= self._held
        if not collides:
            self._held |= dict.fromkeys(CONTACT, 0.0)
        self._collides = collides

    def nominal(self, field: str) -> float:
        """The value at load."""
        if field == "mass":
            return self.nominal_mass
        return 1.0 if field == "inertia" else self._nominal[field]

    def write(self, field: str, value: float) -> None:
        """Set a property; mass scales inertia in proportion."""
        if field == "mass":
            self._write_mass(value)
        elif field == "inertia":
            self.inertia_scale = value
            self._write_inertia()
        elif field in SOFTNESS:
            self._write_softness(field, value)
        elif self._collides:
            pybullet.changeDynamics(self._body, self._index, **{CONTACT[field][0]: value}, physicsClientId=self._client)
        else:
            self._held[field] = value

    def read(self, field: str) -> float:
        """Return what the simulator holds; what it does not tell or use, as written."""
        if field in self._held:
            return self._held[field]
        info = self._info()
        if field == "mass":
            return info[0]
        if field == "inertia":
            axis = max(range(3), key=self.nominal_inertia.__getitem__)
            proportional = self.nominal_inertia[axis] * (info[0] / self.nominal_mass)
            return (info[2][axis] - self.reflected[axis]) / proportional
        return info[CONTACT[field][1]]

    def reflect(self, inertia: float, axis_in_link: Vec3) -> None:
        """Add a rotor's inertia [kg·m²] about a joint axis given in the link frame.

        PyBullet keeps principal inertias only, so an axis between two of them adds to both by its squared components.
        """
        axis = rotate_back(self._inertial_quat, axis_in_link)
        self.reflected = (inertia * axis[0] ** 2, inertia * axis[1] ** 2, inertia * axis[2] ** 2)
        self._write_inertia()

    @property
    def inertia(self) -> Vec3:
        """Principal inertia [kg·m²]."""
        return self._info()[2]

    def _write_mass(self, mass: float) -> None:
        pybullet.changeDynamics(self._body, self._index, mass=mass, physicsClientId=self._client)
        self._write_inertia(mass)

    def _write_inertia(self, mass: float | None = None) -> None:
        # a factor of exactly 1 restores nominal to the last bit
        factor = ((self._info()[0] if mass is None else mass) / self.nominal_mass) * self.inertia_scale
        inertia = [i * factor + extra for i, extra in zip(self.nominal_inertia, self.reflected, strict=True)]
        pybullet.changeDynamics(self._body, self._index, localInertiaDiagonal=inertia, physicsClientId=self._client)

    def _write_softness(self, field: str, value: float) -> None:
        """PyBullet takes stiffness and damping of a contact together only."""
        was_soft = self._held["contact_stiffness"] > 0
        self._held[field] = value
        stiffness, damping = self._held["contact_stiffness"], self._held["contact_damping"]
        if stiffness > 0 or was_soft:
            pybullet.changeDynamics(
                self._body,
                self._index,
                contactStiffness=stiffness or RIGID,
                contactDamping=damping,
                physicsClientId=self._client,
            )

    def _info(self):  # type: ignore[no-untyped-def]
        return pybullet.getDynamicsInfo(self._body, self._index, physicsClientId=self._client)


class Properties:
    """All named properties of a loaded robot, its objects and its world."""

    def __init__(self, client: int, body: Body, objects: dict[str, int], gravity: float) -> None:
        self._client, self._body = client, body
        places = {name: (body.uid, index, index in body.shaped) for name, index in body.links.items()}
        places |= {name: (uid, -1, has_shape(client, uid, -1)) for name, uid in objects.items()}
        links = {name: Link(client, *place) for name, place in places.items()}
        # A fixed base has no mass; giving it one would let it fall.
        self.links = {name: link for name, link in links.items() if link.nominal_mass > 0}
        self._bodies = {name: place[0] for name, place in places.items()}
        self._damping = {(uid, field): 0.0 for uid in (body.uid, *objects.values()) for field in DAMPING}
        self._nominal = {"gravity": gravity, "slope_x": 0.0, "slope_y": 0.0}
        self._world = dict(self._nominal)
        self._gravitate()

    def nominal(self, group: str, name: str, field: str) -> float:
        """The value at load: what every randomisation starts from."""
        if group == "world":
            return self._nominal[field]
        return 0.0 if field in DAMPING else self.links[name].nominal(field)

    def write(self, group: str, name: str, field: str, value: float) -> None:
        """Set a link's property, the world's gravity [m/s²] or slope [rad], or a joint's reflected inertia [kg·m²]."""
        if group == "joint":
            self._reflect(name, value)
        elif group == "world":
            self._world[field] = value
            self._gravitate()
        elif field in DAMPING:
            uid = self._bodies[name]
            pybullet.changeDynamics(uid, -1, **{DAMPING[field]: value}, physicsClientId=self._client)
            self._damping[uid, field] = value
        else:
            self.links[name].write(field, value)

    def read(self, group: str, name: str, field: str) -> float:
        """Return what the simulator holds now; damping, which belongs to a whole body, as written."""
        if group == "world":
            return self._read_gravity() if field == "gravity" else self._world[field]
        return self._damping[self._bodies[name], field] if field in DAMPING else self.links[name].read(field)

    def _reflect(self, joint: str, inertia: float) -> None:
        info = pybullet.getJointInfo(self._body.uid, self._body.joint(joint), physicsClientId=self._client)
        link = self._massive(info[0])
        if link is not None:
            self.links[link].reflect(inertia, info[13])

    def _massive(self, index: int) -> str | None:
        """Name of what a joint moves: its link, or what is fixed to it, as MJCF puts joints on links without mass."""
        names = {place: name for name, place in self._body.links.items()}
        if names[index] in self.links:
            return names[index]
        infos = [pybullet.getJointInfo(self._body.uid, i, self._client) for i in names if i >= 0]
        fixed = [info[0] for info in infos if info[16] == index and info[2] == pybullet.JOINT_FIXED]
        return next((names[i] for i in fixed if names[i] in self.links), None)

    def _gravitate(self) -> None:
        """Tilt gravity, not the floor: the world frame is that of a ground turned by the slopes about x and y."""
        x, y = self._world["slope_x"], self._world["slope_y"]
        self.gravity_world: Vec3 = (sin(y) * cos(x), -sin(x), -cos(y) * cos(x))
        g = self._world["gravity"]
        pybullet.setGravity(*(g * component for component in self.gravity_world), physicsClientId=self._client)

    def _read_gravity(self) -> float:
        held = pybullet.getPhysicsEngineParameters(physicsClientId=self._client)
        vector = [held[f"gravityAcceleration{axis}"] for axis in "XYZ"]
        return -vector[2] if vector[:2] == [0, 0] else hypot(*vector)
