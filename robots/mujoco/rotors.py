"""Rotors of geared drives, exactly: a tendon whose length is the rotor's angle, and whose inertia is the rotor's.

A rotor of inertia Ir on a gear n turns with its housing and n times its joint, ω = Σ carriers + n · joint, and has the
kinetic energy ½ Ir ω². A fixed tendon of these coefficients with armature Ir = J / n² is just that, J at the joint.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

PARALLEL = 0.999
"""Cosine between two axes above which they count as one direction; carriers whose axes lie across are left out."""


def add_rotors(spec: mujoco.MjSpec, gears: Mapping[str, float]) -> dict[str, float]:
    """Give each geared joint a tendon of its name, yet without inertia; returns the gears."""
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    for joint, ratio in gears.items():
        tendon = spec.add_tendon(name=joint)
        tendon.wrap_joint(joint, ratio)
        for carrier, cosine in _carriers(model, data, joint).items():
            tendon.wrap_joint(carrier, cosine)
    return dict(gears)


def _carriers(model: mujoco.MjModel, data: mujoco.MjData, joint: str) -> dict[str, float]:
    """Revolute joints between the base and `joint` whose axis is parallel to its own, with the cosine (±1)."""
    index = model.joint(joint).id
    found: dict[str, float] = {}
    body = model.body_parentid[model.jnt_bodyid[index]]
    while body > 0:
        for other in np.flatnonzero(model.jnt_bodyid == body):
            cosine = float(data.xaxis[index] @ data.xaxis[other])
            if model.jnt_type[other] == mujoco.mjtJoint.mjJNT_HINGE and abs(cosine) > PARALLEL:
                found[model.joint(other).name] = cosine
        body = model.body_parentid[body]
    return found
