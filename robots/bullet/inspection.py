"""What a doctor asks of a loaded robot beyond what tasks see: energy, overlaps, extent, joint limits as loaded."""

from __future__ import annotations

from math import dist
from typing import NamedTuple

import pybullet

from robots.bullet.world import BulletWorld
from robots.rotation import rotate_back


class Overlap(NamedTuple):
    """Two links that lie in each other by `depth` [m]; the floor's name is "floor"."""

    depth: float
    link: str
    other: str


def mechanical_energy(world: BulletWorld) -> float:
    """Return kinetic plus potential energy [J] of all links; without motors, nothing makes it grow."""
    client, uid = world.handle
    down = world.gravity_world
    weight = world.read("world", "world", "gravity")
    total = 0.0
    for index in range(-1, pybullet.getNumJoints(uid, physicsClientId=client)):
        info = pybullet.getDynamicsInfo(uid, index, physicsClientId=client)
        mass, moments = info[0], info[2]
        pos, quat, lin_vel, ang_vel = _centre(client, uid, index)
        spin = rotate_back(quat, ang_vel)
        total += 0.5 * mass * sum(v * v for v in lin_vel)
        total += 0.5 * sum(moment * w * w for moment, w in zip(moments, spin, strict=True))
        total -= mass * weight * sum(g * p for g, p in zip(down, pos, strict=True))
    return total


def weight_times_size(world: BulletWorld) -> float:
    """Return m · g · extent [J]: the energy of the robot falling once over its own length."""
    client, uid = world.handle
    links = range(-1, pybullet.getNumJoints(uid, physicsClientId=client))
    mass = sum(pybullet.getDynamicsInfo(uid, i, physicsClientId=client)[0] for i in links)
    return mass * max(world.read("world", "world", "gravity"), 1.0) * extent(world)


def extent(world: BulletWorld) -> float:
    """Return the diagonal [m] of the box around all link frames, at least 0.1."""
    client, uid = world.handle
    places = [_centre(client, uid, i)[0] for i in range(-1, pybullet.getNumJoints(uid, physicsClientId=client))]
    corners = list(zip(*places, strict=True))
    return max(0.1, dist(list(map(min, corners)), list(map(max, corners))))


def lowest_point(world: BulletWorld) -> float:
    """Return the height [m] of the lowest point of what collides; of the lowest link frame where nothing does."""
    client, uid = world.handle
    links = range(-1, pybullet.getNumJoints(uid, physicsClientId=client))
    shaped = sorted(world.shaped_links)
    if not shaped:
        return min(_centre(client, uid, i)[0][2] for i in links)
    # boxes are loose around turned meshes: what touches first is measured, from a plate below everything
    bottom = min(pybullet.getAABB(uid, i, physicsClientId=client)[0][2] for i in shaped) - 0.05
    shape = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=[50, 50, 0.01], physicsClientId=client)
    plate = pybullet.createMultiBody(0, shape, basePosition=[0, 0, bottom - 0.01], physicsClientId=client)
    gaps = pybullet.getClosestPoints(uid, plate, 1.0, physicsClientId=client)
    pybullet.removeBody(plate, physicsClientId=client)
    return bottom + min((gap[8] for gap in gaps), default=0.05)


def deepest_overlap(world: BulletWorld) -> Overlap | None:
    """Return where the robot lies deepest in itself, an object or the floor, as it is placed now."""
    client, uid = world.handle
    pybullet.performCollisionDetection(physicsClientId=client)
    contacts = pybullet.getContactPoints(bodyA=uid, physicsClientId=client)
    if not contacts:
        return None
    deepest = min(contacts, key=lambda contact: contact[8])
    other = _link_name(client, deepest[2], deepest[4]) if deepest[2] == uid else _body_name(client, deepest[2])
    return Overlap(-deepest[8], _link_name(client, uid, deepest[3]), other)


def joint_inertia(world: BulletWorld) -> dict[str, dict[str, float]]:
    """Return the inertia matrix [kg·m²] of the movable joints by name, where they are now, the base held."""
    client, uid = world.handle
    names = list(loaded_limits(world))
    indices = [i for i in range(pybullet.getNumJoints(uid, client)) if pybullet.getJointInfo(uid, i, client)[3] > -1]
    pos = [state[0] for state in pybullet.getJointStates(uid, indices, client)]
    matrix = pybullet.calculateMassMatrix(uid, pos, 0, client)
    rows = matrix[-len(names) :]  # a free base has six rows of its own, before the joints'
    return {a: dict(zip(names, row[-len(names) :], strict=True)) for a, row in zip(names, rows, strict=True)}


def loaded_limits(world: BulletWorld) -> dict[str, tuple[float, float] | None]:
    """Return the movable joints in the model's order, each with its range [rad or m], or None where it has none."""
    client, uid = world.handle
    infos = [pybullet.getJointInfo(uid, i, client) for i in range(pybullet.getNumJoints(uid, client))]
    single = (pybullet.JOINT_REVOLUTE, pybullet.JOINT_PRISMATIC)
    return {info[1].decode(): (info[8], info[9]) if info[8] < info[9] else None for info in infos if info[2] in single}


def _centre(client: int, uid: int, index: int):  # type: ignore[no-untyped-def]
    """Position, orientation, velocity and angular velocity of a link's centre of mass, in the world frame."""
    if index == -1:
        pose = pybullet.getBasePositionAndOrientation(uid, physicsClientId=client)
        return (*pose, *pybullet.getBaseVelocity(uid, physicsClientId=client))
    state = pybullet.getLinkState(uid, index, 1, 1, client)
    return state[0], state[1], state[6], state[7]


def _link_name(client: int, uid: int, index: int) -> str:
    if index == -1:
        return pybullet.getBodyInfo(uid, physicsClientId=client)[0].decode()
    return pybullet.getJointInfo(uid, index, physicsClientId=client)[12].decode()


def _body_name(client: int, uid: int) -> str:
    return pybullet.getBodyInfo(uid, physicsClientId=client)[1].decode() or "floor"
