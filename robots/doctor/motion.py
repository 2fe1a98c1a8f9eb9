"""Whether the robot moves as a machine does: it settles, nothing explodes, and each joint obeys its command."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite

import numpy as np

from robots.bullet.inspection import deepest_overlap, mechanical_energy, weight_times_size
from robots.doctor.patient import Patient
from robots.doctor.report import Notes
from robots.simulated import SimulatedRobot
from robots.task import Start

SETTLE_TIME = 2.0
"""How long the robot is watched [s]."""

ENERGY_GAIN = 0.1
"""Largest gain of energy without motors, of weight times size: the integrator's own error is smaller."""

OVERLAP, DEEP = 0.005, 0.02
"""Depth [m] at which links that start inside each other are worth a look, and at which they are pushed apart hard."""

RESTLESS = 0.5
"""Joint speed [rad/s] that is not rest."""

WIGGLE_TIME = 0.2
"""How long a joint is told to move [s]."""

STRAY = 0.5
"""Motion of another joint, relative to that of the commanded one, that is worth a look."""


def motors_off(patient: Patient) -> Notes:
    """Let the robot fall without motors from a slow motion: its energy must not grow."""
    notes, robot = Notes(), patient.robot
    world = patient.world
    robot.start(Start(joint_vel=[0.1] * len(world.joint_names)), np.random.default_rng(0))
    _overlap(notes, patient)
    first, scale = mechanical_energy(world), weight_times_size(world)
    gain, zeros = 0.0, [0.0] * len(world.joint_names)
    for _ in range(ceil(SETTLE_TIME / patient.spec.model.physics_dt)):
        world.step(zeros)
        energy = mechanical_energy(world)
        gain = max(gain, (energy - first) / scale) if isfinite(energy) else float("inf")
        if gain > 1e3:
            break
    notes.note = f"energy grew by {gain:.2%} of weight × size"
    if gain > ENERGY_GAIN:
        message = f"without motors, energy grew by {gain:.3g} times weight × size in {SETTLE_TIME:g} s"
        advice = "halve physics_dt or raise solver_substeps; look for overlapping links and tiny inertias"
        notes.wrong(f"{patient.source}: model.physics_dt", message, advice)
    return notes


def _overlap(notes: Notes, patient: Patient) -> None:
    found = deepest_overlap(patient.world)
    if found is None or found.depth < OVERLAP:
        return
    message = f"at the start, {found.link} lies {found.depth * 1e3:.0f} mm inside {found.other}"
    where = f"{patient.source}: model.base_pos"
    (notes.wrong if found.depth > DEEP else notes.warn)(where, message, "raise the base or change default_pos")


def settles(patient: Patient) -> Notes:
    """Hold the safe command: the robot stays finite and bounded, and position drives come to rest."""
    notes, robot = Notes(), patient.robot
    robot.start(Start(), np.random.default_rng(0))
    safe, joints = list(robot.limiter.last), len(patient.spec.contract.joints)
    periods = ceil(SETTLE_TIME / patient.spec.contract.control_dt)
    speeds, late = [], []
    for period in range(periods):
        robot.step(safe)
        speeds.append(max(abs(state[1]) for state in robot.world.states[:joints]))
        late += [speeds[-1]] if period > 0.75 * periods else []
    _bounded(notes, patient, speeds)
    if patient.mode == "position" and max(late) > RESTLESS:
        message = f"held at its default pose, a joint still moves at {max(late):.2g} rad/s after {SETTLE_TIME:g} s"
        notes.warn(f"{patient.source}: contract.joints", message, "lower kp or kd, or halve physics_dt")
    _sags(notes, patient)
    notes.note = f"at most {max(speeds):.2g} rad/s, {max(late):.2g} at the end"
    return notes


def _bounded(notes: Notes, patient: Patient, speeds: Sequence[float]) -> None:
    limit = 3 * max(joint.vel_limit for joint in patient.spec.contract.joints)
    fastest = max(speeds) if all(map(isfinite, speeds)) else float("inf")
    if fastest > limit:
        message = f"told to stay, a joint reaches {fastest:.3g} rad/s"
        notes.wrong(f"{patient.source}: model", message, "halve physics_dt, lower gains, look for overlapping links")


def _sags(notes: Notes, patient: Patient) -> None:
    if patient.mode != "position":
        return
    for joint, pos in zip(patient.spec.contract.joints, patient.robot.world.joint_pos, strict=False):
        if abs(pos - joint.default_pos) > 0.2 * (joint.pos_limit[1] - joint.pos_limit[0]):
            message = f"held at {joint.default_pos:.3g} rad, it ends at {pos:.3g}"
            where = f"{patient.source}: contract.joints.{joint.name}"
            notes.warn(where, message, "raise kp or torque_limit, or choose a pose that stands")


def wiggle(patient: Patient) -> Notes:
    """Tell one joint after the other to move both ways, weightless and lifted: it obeys, and it alone."""
    notes, robot = Notes(), patient.robot
    nominal = robot.nominal("world", "world", "gravity")
    robot.write("world", "world", "gravity", 0.0)
    try:
        for index in range(len(patient.spec.contract.joints)):
            _wiggle_one(notes, patient, index)
    finally:
        robot.write("world", "world", "gravity", nominal)
    notes.note = f"{len(patient.spec.contract.joints)} joints"
    return notes


def _wiggle_one(notes: Notes, patient: Patient, index: int) -> None:
    up, down = (_reached(patient, index, sign) for sign in (0.5, -0.5))
    moved = [a - b for a, b in zip(up, down, strict=True)]
    joint = patient.spec.contract.joints[index]
    where = f"{patient.source}: contract.joints.{joint.name}"
    low, high = joint.pos_limit
    if abs(moved[index]) < 1e-4 * min(high - low, 6.0):
        notes.wrong(where, "does not move when told to", "check torque_limit, gains, scale and the model's limits")
    elif moved[index] < 0:
        notes.wrong(where, "moves against its command", "check the sign of gain and scale")
    else:
        stray = max((i for i in range(len(moved)) if i != index), key=lambda i: abs(moved[i]), default=index)
        if stray != index and abs(moved[stray]) > STRAY * moved[index]:
            other = patient.spec.contract.joints[stray].name
            share = abs(moved[stray] / moved[index])
            notes.warn(where, f"{other} moves too, {share:.0%} as far", "check joint order, gains and masses")


def _reached(patient: Patient, index: int, sign: float) -> list[float]:
    """Joint positions after `WIGGLE_TIME` with one joint's command at `sign` of its scale, all others at rest."""
    robot, contract = patient.robot, patient.spec.contract
    lifted = Start() if patient.spec.model.fixed_base else Start(base_offset=(0.0, 0.0, 1.0))
    robot.start(lifted, np.random.default_rng(0))
    if patient.mode == "torque":
        _hold_others(robot, contract.joint_names[index])
    command = list(robot.limiter.last)
    low, high = contract.command_limits[index]
    command[index] = min(max(command[index] + sign * contract.action.scale[index], low), high)
    for _ in range(ceil(WIGGLE_TIME / contract.control_dt)):
        robot.step(command)
    return robot.world.joint_pos[: len(contract.joints)]


def _hold_others(robot: SimulatedRobot, joint: str) -> None:
    """Without drives that hold them, the other joints would be dragged along."""
    robot.world.lock({name for name in robot.contract.joint_names if name != joint})
