"""Load a model file into a client: one body, its links and joints by name, and nothing left to PyBullet's defaults.

Fixed links stay links: `URDF_MERGE_FIXED_LINKS` of PyBullet 3.2.7 drops the merged links' centre of mass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pybullet

from domain_rand.schema import ConfigError, nearest
from robots.model import Model


@dataclass(frozen=True)
class Body:
    """One loaded robot: its id, links by name (the root is −1), movable joints by name and by kind.

    `base_link` is the link whose frame counts as the robot's base, `shaped` are the links that can touch something.
    """

    uid: int
    links: dict[str, int]
    joints: dict[str, int]
    spherical: tuple[int, ...]
    base_link: int
    shaped: frozenset[int]
    source: Path

    def joint(self, name: str) -> int:
        """Return a movable joint's index; raises `ConfigError` naming the nearest."""
        if name not in self.joints:
            raise ConfigError(f"{self.source}: no movable joint '{name}'; {nearest(name, tuple(self.joints))}")
        return self.joints[name]

    def link(self, name: str) -> int:
        """Return a link's index; raises `ConfigError` naming the nearest."""
        if name not in self.links:
            raise ConfigError(f"{self.source}: no link '{name}'; {nearest(name, tuple(self.links))}")
        return self.links[name]


def load_robot_body(client: int, path: Path, model: Model, joint_names: Sequence[str]) -> Body:
    """Load the robot, undamped and with free joints; raises `ConfigError` for a file or a name that is not there."""
    flags = pybullet.URDF_USE_INERTIA_FROM_FILE
    if model.self_collision:
        flags |= pybullet.URDF_USE_SELF_COLLISION
    bodies = [_tree(client, uid, path, model) for uid in _load(client, path, model, flags)]
    moving = [body for body in bodies if set(joint_names) <= set(body.joints)]
    body = (moving or bodies)[0]
    for name in joint_names:
        body.joint(name)
    if model.base_link is not None and model.base_link not in body.links:
        raise ConfigError(f"model.base_link: no link '{model.base_link}'; {nearest(model.base_link, [*body.links])}")
    if path.suffix == ".xml":
        _place(client, body.uid, model)
    _undamp(client, body)
    return body


def load_object(client: int, path: Path, pos: Sequence[float], quat_xyzw: Sequence[float], fixed: bool) -> int:
    """Load an extra object as one rigid body; returns its id."""
    flags = pybullet.URDF_USE_INERTIA_FROM_FILE
    uid = _guarded(
        path,
        lambda: pybullet.loadURDF(str(path), pos, quat_xyzw, useFixedBase=fixed, flags=flags, physicsClientId=client),
    )
    for damping in ({"linearDamping": 0}, {"angularDamping": 0}):
        pybullet.changeDynamics(uid, -1, **damping, physicsClientId=client)
    return uid


def load_floor(client: int) -> int:
    """Add the plane z = 0; its friction is 1, so that a link's own friction is that of the contact."""
    shape = pybullet.createCollisionShape(pybullet.GEOM_PLANE, physicsClientId=client)
    floor = pybullet.createMultiBody(0, shape, physicsClientId=client)
    pybullet.changeDynamics(floor, -1, lateralFriction=1.0, physicsClientId=client)
    return floor


def _load(client: int, path: Path, model: Model, flags: int) -> list[int]:
    if path.suffix == ".xml":
        # MJCF leaves inertia to the shapes; taken "from file" it would be zero
        flags &= ~pybullet.URDF_USE_INERTIA_FROM_FILE
        return list(_guarded(path, lambda: pybullet.loadMJCF(str(path), flags=flags, physicsClientId=client)))
    pos, quat = model.base_pos, model.base_quat_xyzw
    return [
        _guarded(
            path,
            lambda: pybullet.loadURDF(
                str(path), pos, quat, useFixedBase=model.fixed_base, flags=flags, physicsClientId=client
            ),
        )
    ]


def _place(client: int, uid: int, model: Model) -> None:
    """Put the root's link frame where the model says, as `loadURDF` does by itself and `loadMJCF` does not."""
    root = pybullet.getDynamicsInfo(uid, -1, physicsClientId=client)
    pose = pybullet.multiplyTransforms(model.base_pos, model.base_quat_xyzw, root[3], root[4])
    pybullet.resetBasePositionAndOrientation(uid, *pose, physicsClientId=client)


def _guarded(path: Path, load):  # type: ignore[no-untyped-def]
    try:
        return load()
    except pybullet.error as error:
        message = f"{path}: PyBullet cannot load it ({error}); check that the file and its meshes exist"
        raise ConfigError(message) from None


def _tree(client: int, uid: int, path: Path, model: Model) -> Body:
    root = pybullet.getBodyInfo(uid, physicsClientId=client)[0].decode()
    count = pybullet.getNumJoints(uid, physicsClientId=client)
    infos = [pybullet.getJointInfo(uid, i, physicsClientId=client) for i in range(count)]
    links = {root: -1} | {info[12].decode(): info[0] for info in infos}
    single = (pybullet.JOINT_REVOLUTE, pybullet.JOINT_PRISMATIC)
    joints = {info[1].decode(): info[0] for info in infos if info[2] in single}
    spherical = tuple(info[0] for info in infos if info[2] == pybullet.JOINT_SPHERICAL)
    shaped = frozenset(index for index in links.values() if has_shape(client, uid, index, path.suffix == ".xml"))
    return Body(uid, links, joints, spherical, links.get(model.base_link or root, -1), shaped, path)


def has_shape(client: int, uid: int, index: int, from_mjcf: bool = False) -> bool:
    """Whether a link has a collision shape.

    PyBullet 3.2.7 crashes when asked of the capsules of MJCF; there, mass comes from shapes, and what weighs has one.
    """
    if from_mjcf:
        return pybullet.getDynamicsInfo(uid, index, physicsClientId=client)[0] > 0
    return bool(pybullet.getCollisionShapeData(uid, index, physicsClientId=client))


def _undamp(client: int, body: Body) -> None:
    """Take away PyBullet's damping: of the body (in calls of their own), and of each joint, which is explicit."""
    for damping in ({"linearDamping": 0}, {"angularDamping": 0}):
        pybullet.changeDynamics(body.uid, -1, **damping, physicsClientId=client)
    for index in (*body.joints.values(), *body.spherical):
        pybullet.changeDynamics(body.uid, index, jointDamping=0, physicsClientId=client)
