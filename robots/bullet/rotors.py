"""What PyBullet lacks for geared drives: the rotor's own inertia, which turns faster than its link and couples joints.

A rotor of inertia Ir on a gear n turns with its housing and n times its joint, ω = Σ carriers + n · joint, and has the
kinetic energy ½ Ir ω². PyBullet has no such body. Its inertia J = n² Ir at the joint can be lumped into the link, but
the link turns with ω = Σ carriers + joint: right for the joint alone, and wrong for every joint that carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import mul

import numpy as np
import pybullet

from robots.bullet.loading import Body
from robots.rotation import rotate
from robots.view import States

Torque = Callable[[States], Sequence[float]]
"""From joint states to joint torques [N·m], asked once a physics step."""

PARALLEL = 0.999
"""Cosine between two axes above which they count as one direction."""


def lumping_error(gear_ratio: float, joint: int, carriers: Mapping[int, float], joints: int) -> np.ndarray:
    """Return what is missing in the mass matrix, `[joints, joints]`, per kg·m² of inertia lumped into a link.

    `carriers` are the joints that turn the rotor's housing: index to the cosine between their axis and the rotor's.
    """
    rotor, link = np.zeros(joints), np.zeros(joints)
    rotor[joint], link[joint] = gear_ratio, 1.0
    for carrier, cosine in carriers.items():
        rotor[carrier] = link[carrier] = cosine
    return np.outer(rotor, rotor) / gear_ratio**2 - np.outer(link, link)


class Rotors:
    """The torques that lumped rotors leave out, from the acceleration of the step before.

    `asked` is what the drives gave, to which these torques were added.
    Stable where they are smaller than what the links resist with; carriers whose axes lie across are left out.
    """

    def __init__(
        self, client: int, body: Body, joint_names: Sequence[str], gears: Mapping[str, float], dt: float
    ) -> None:
        self._dt = dt
        carriers = {joint: _carriers(client, body, joint) for joint in gears}
        index = {name: i for i, name in enumerate(joint_names)}
        self._errors = {
            joint: lumping_error(
                ratio, index[joint], {index[c]: s for c, s in carriers[joint].items() if c in index}, len(index)
            )
            for joint, ratio in gears.items()
        }
        self._inertia = dict.fromkeys(gears, 0.0)
        self._missing: list[list[float]] = [[0.0] * len(index) for _ in index]
        self.reset()

    def reset(self) -> None:
        """Forget the motion before."""
        self.asked: Sequence[float] = []
        self._vel: list[float] | None = None

    def write(self, joint: str, inertia: float) -> None:
        """Set what is lumped into a joint's link [kg·m²]; nothing where the joint has no known gear."""
        if joint in self._inertia:
            self._inertia[joint] = inertia
            missing = [self._inertia[name] * error for name, error in self._errors.items()]
            self._missing = np.sum(missing, axis=0).tolist()

    def correct(self, torques: Sequence[float], states: States) -> list[float]:
        """Return joint torques [N·m] that move the links as if the rotors were there; call once a physics step."""
        self.asked = torques
        vel = [state[1] for state in states]
        before, self._vel = self._vel, vel
        if before is None:
            return list(torques)
        acceleration = [(v - b) / self._dt for v, b in zip(vel, before, strict=True)]
        return [t - sum(map(mul, row, acceleration)) for t, row in zip(torques, self._missing, strict=True)]

    def around(self, torque: Torque) -> Torque:
        """Return `torque` with every answer corrected."""
        return lambda states: self.correct(torque(states), states)


def _carriers(client: int, body: Body, joint: str) -> dict[str, float]:
    """Revolute joints between the base and `joint` whose axis is parallel to its own, with the cosine (±1)."""
    names = {index: name for name, index in body.joints.items()}
    axis = _axis(client, body, body.joint(joint))
    found = {}
    index = _info(client, body, body.joint(joint))[16]
    while index >= 0:
        info = _info(client, body, index)
        cosine = float(axis @ _axis(client, body, index)) if info[2] == pybullet.JOINT_REVOLUTE else 0.0
        if index in names and abs(cosine) > PARALLEL:
            found[names[index]] = cosine
        index = info[16]
    return found


def _axis(client: int, body: Body, index: int) -> np.ndarray:
    """Axis of a joint in the world, as the robot stands now."""
    frame = pybullet.getLinkState(body.uid, index, computeForwardKinematics=1, physicsClientId=client)[5]
    return np.array(rotate(frame, _info(client, body, index)[13]))


def _info(client: int, body: Body, index: int):  # type: ignore[no-untyped-def]
    return pybullet.getJointInfo(body.uid, index, physicsClientId=client)
