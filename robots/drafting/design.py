"""Decisions a URDF leaves open: which joints have motors, how the drives are tuned, where the base stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi, sqrt
from typing import Literal

import numpy as np

from domain_rand.schema import ConfigError
from robots.bullet.inspection import joint_inertia, lowest_point
from robots.bullet.silence import silence
from robots.bullet.world import BulletWorld
from robots.contract import Mode
from robots.model import Model
from robots.urdf import Urdf, UrdfJoint

Base = Literal["auto", "fixed", "free"]

PHYSICS_DT, CONTROL_DT = 0.002, 0.02
ASSUMED_TORQUE, ASSUMED_VEL = 10.0, 10.0
"""What a motor is taken for whose effort [N·m] or velocity [rad/s] the file does not give."""

FULL_TORQUE_ERROR = 0.5
"""Position error [rad] at which a drafted drive gives all its torque, if the physics step allows."""

BANDWIDTH = 0.15
"""Largest natural frequency of a drafted drive [1/physics step], all joints moving together."""

REACH = 0.8
"""Share of the way to the nearer limit that a drafted action covers, at most `FURTHEST` [rad]."""

FURTHEST = 1.0


@dataclass
class DraftJoint:
    """One motor as drafted; `assumed` names what the file does not say."""

    name: str
    low: float
    high: float
    default: float
    torque: float
    vel: float
    kp: float = 0.0
    kd: float = 0.0
    assumed: list[str] = field(default_factory=list)

    @property
    def scale(self) -> float:
        """Reach of the action around the default pose [rad]."""
        return min(REACH * min(self.high - self.default, self.default - self.low), FURTHEST)


@dataclass(frozen=True)
class Design:
    """Everything that is decided; lengths in m. `height` is the root's, `base_height` that of the link called base."""

    joints: list[DraftJoint]
    passive: list[str]
    mode: Mode
    fixed_base: bool
    height: float
    base_link: str
    base_height: float


def design(urdf: Urdf, base: Base = "auto") -> Design:
    """Decide what the file leaves open; raises `ConfigError` when nothing in it moves."""
    if not urdf.movable:
        raise ConfigError(f"{urdf.path}: no revolute, continuous or prismatic joint; nothing to drive")
    driven, passive = _driven(urdf)
    joints = [_joint(joint) for joint in driven]
    fixed = base == "fixed" or (base == "auto" and _looks_fixed(urdf))
    mode: Mode = "velocity" if not fixed and _all_wheels(urdf, driven) else "position"
    names, base_link = [joint.name for joint in passive], _base_link(urdf)
    height, base_height = _tune(urdf, joints, names, base_link, mode)
    return Design(joints, names, mode, fixed, height, base_link, base_height)


def _driven(urdf: Urdf) -> tuple[list[UrdfJoint], list[UrdfJoint]]:
    """Joints with an effort have motors; where no joint has one, all do."""
    movable = list(urdf.movable.values())
    strong = [joint for joint in movable if joint.effort]
    return (strong, [joint for joint in movable if not joint.effort]) if strong else (movable, [])


def _joint(joint: UrdfJoint) -> DraftJoint:
    low, high = (joint.lower or 0.0, joint.upper or 0.0) if joint.limited else (-pi, pi)
    margin = 0.05 * (high - low)
    default = 0.0 if low + margin <= 0.0 <= high - margin else (low + high) / 2
    torque, vel = joint.effort or ASSUMED_TORQUE, joint.velocity or ASSUMED_VEL
    pairs = (("torque_limit", joint.effort), ("vel_limit", joint.velocity))
    return DraftJoint(joint.name, low, high, default, torque, vel, assumed=[key for key, known in pairs if not known])


def _looks_fixed(urdf: Urdf) -> bool:
    """One chain of joints is an arm; several are legs or wheels."""
    return urdf.root == "world" or len(_chains(urdf)) < 2


def _chains(urdf: Urdf) -> list[UrdfJoint]:
    """The first movable joint of every chain that leaves the root."""
    rigid = {urdf.root}
    for _ in urdf.joints:
        rigid |= {j.child for j in urdf.joints.values() if j.parent in rigid and j.name not in urdf.movable}
    return [joint for joint in urdf.movable.values() if joint.parent in rigid]


def _all_wheels(urdf: Urdf, driven: list[UrdfJoint]) -> bool:
    """Whether every motor turns without end and carries no other joint."""
    parents = {joint.parent for joint in urdf.movable.values()}
    return all(joint.kind == "continuous" and joint.child not in parents for joint in driven)


def _base_link(urdf: Urdf) -> str:
    """The first link with mass that is rigidly joined to the root."""
    chains = {joint.child for joint in _chains(urdf)}
    return next((name for name, link in urdf.links.items() if link.mass and name not in chains), urdf.root)


def _tune(urdf: Urdf, joints: list[DraftJoint], passive: list[str], base_link: str, mode: Mode) -> tuple[float, float]:
    """Set the drives' gains from the inertia they move; returns where root and base are when the robot stands."""
    model = Model(file=urdf.path.name, physics_dt=PHYSICS_DT, passive_joints=dict.fromkeys(passive, 0.0))
    names = [joint.name for joint in joints]
    try:
        with silence():
            world = BulletWorld(urdf.path, model, [*names, *passive])
    except ConfigError:  # the doctor will say what the simulator cannot load
        _set_gains(joints, np.eye(len(joints)), mode)
        return 0.0, 0.0
    world.reset([*(joint.default for joint in joints), *(0.0 for _ in passive)], [0.0] * (len(joints) + len(passive)))
    matrix, bottom, base = joint_inertia(world), lowest_point(world), world.link_pose(base_link)[0][2]
    world.close()
    _set_gains(joints, np.array([[matrix[a][b] for b in names] for a in names]), mode)
    return -bottom + 0.001, base - bottom + 0.001


def _set_gains(joints: list[DraftJoint], inertia: np.ndarray, mode: Mode) -> None:
    """Critically damp each joint, as stiff as its torque and the physics step allow; wheels: as firm as they allow.

    Explicit drives are stable while their frequencies, scaled up by the coupling of the joints, stay below the step's.
    """
    own = np.maximum(np.abs(np.diag(inertia)), 1e-5)
    coupling = max(1.0, 1.0 / max(float(np.linalg.eigvals(inertia / own[:, None]).real.min()), 0.05))
    for joint, moment in zip(joints, own.tolist(), strict=True):
        stiffest = (BANDWIDTH / PHYSICS_DT) ** 2 * moment / coupling
        joint.kp = min(joint.torque / FULL_TORQUE_ERROR, stiffest)
        damping = joint.torque / (0.2 * joint.vel) if mode == "velocity" else 2 * sqrt(joint.kp * moment)
        joint.kd = min(damping, 0.5 * moment / (coupling * PHYSICS_DT))
