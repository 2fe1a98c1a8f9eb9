"""What can be said of a robot from its files alone: meshes, inertia, joints and their limits."""

from __future__ import annotations

from domain_rand.schema import nearest
from robots.bullet.inspection import loaded_limits
from robots.contract import Joint
from robots.doctor.patient import Patient
from robots.doctor.report import Notes, Skipped
from robots.urdf import UrdfJoint, find_mesh, inertia_fault, principal_moments

SLACK = 1e-3
"""Relative slack of limits: rounded to three digits is the same limit."""


def meshes(patient: Patient) -> Notes:
    """Look for every mesh that the URDF names."""
    urdf, notes = patient.urdf, Notes()
    if urdf is None:
        raise Skipped("an MJCF file; the simulator refuses it when a mesh is missing")
    named = {mesh: link.name for link in urdf.links.values() for mesh in link.meshes}
    for mesh, link in named.items():
        if find_mesh(urdf.path, mesh) is None:
            notes.wrong(f"{urdf.path}: link {link}", f"mesh '{mesh}' does not exist", "add the file or mend its path")
    notes.note = f"{len(named)} meshes"
    return notes


def inertia(patient: Patient) -> Notes:
    """Ask of each link whether a rigid body can have its mass and inertia."""
    if patient.urdf is None:
        return _loaded_inertia(patient)
    urdf, notes = patient.urdf, Notes()
    moved = {joint.child for joint in urdf.joints.values()}
    for link in urdf.links.values():
        where = f"{urdf.path}: link {link.name}"
        if link.mass is None or link.inertia is None:
            if link.name in moved or not patient.spec.model.fixed_base:
                notes.warn(
                    where, "no <inertial>: PyBullet makes it 1 kg and 1 kg·m²", "state mass and inertia, if small"
                )
        elif link.mass < 0 or (link.mass == 0 and _swings(link.name, patient)):
            notes.wrong(where, f"mass is {link.mass:g} kg", "a link that moves has a positive mass")
        elif link.mass > 0 and (fault := inertia_fault(principal_moments(link.inertia))):
            notes.wrong(where, fault, "take <inertia> from CAD, about the centre of mass, in kg·m²")
    notes.note = f"{len(urdf.links)} links"
    return notes


def _swings(link: str, patient: Patient) -> bool:
    return any(joint.child == link for joint in (patient.urdf.movable.values() if patient.urdf else ()))


def _loaded_inertia(patient: Patient) -> Notes:
    notes = Notes()
    links = patient.world.properties.links
    for name, link in links.items():
        if fault := inertia_fault(sorted(link.nominal_inertia)):
            notes.wrong(f"{patient.model_file}: {name}", fault, "mend its geometry or inertial")
    notes.note = f"{len(links)} links, as loaded"
    return notes


def joints(patient: Patient) -> Notes:
    """Compare the joints of robot.yaml with those of the model file: names and limits."""
    notes = Notes()
    ranges = _ranges(patient)
    for name in patient.spec.model.passive_joints:
        if name not in ranges:
            _missing(notes, f"{patient.source}: model.passive_joints", name, ranges)
    for joint in patient.spec.contract.joints:
        where = f"{patient.source}: contract.joints.{joint.name}"
        if joint.name not in ranges:
            _missing(notes, where, joint.name, ranges)
        else:
            _compare_range(notes, where, joint, ranges[joint.name], patient)
    named = [name for name in ranges if name in patient.spec.joint_names]
    order = "in the model's order" if [*patient.spec.joint_names] == named else "in an order of their own, by name"
    notes.note = f"{len(patient.spec.joint_names)} of {len(ranges)} movable joints, {order}"
    return notes


def _ranges(patient: Patient) -> dict[str, tuple[float, float] | None]:
    if patient.urdf is None:
        return loaded_limits(patient.world)
    movable = patient.urdf.movable.items()
    return {name: (joint.lower or 0.0, joint.upper or 0.0) if joint.limited else None for name, joint in movable}


def _missing(notes: Notes, where: str, name: str, ranges: dict[str, tuple[float, float] | None]) -> None:
    hint = nearest(name, tuple(ranges))
    notes.wrong(where, f"the model file has no movable joint '{name}'", hint)


def _compare_range(notes: Notes, where: str, joint: Joint, model: tuple[float, float] | None, patient: Patient) -> None:
    if model is None:
        return
    low, high = model
    slack = SLACK * (high - low)
    index = patient.spec.contract.joint_names.index(joint.name)
    asked = patient.spec.contract.command_limits[index] if patient.mode == "position" else (low, high)
    stops = f"the model stops at [{low:.4g}, {high:.4g}]"
    if not low - slack <= joint.default_pos <= high + slack:
        notes.wrong(f"{where}.default_pos", f"is {joint.default_pos:g}; {stops}", "choose a pose inside")
    if asked[0] < low - slack or asked[1] > high + slack:
        notes.wrong(f"{where}.pos_limit", f"commands reach [{asked[0]:.4g}, {asked[1]:.4g}]; {stops}", "narrow it")
    elif joint.pos_limit[0] < low - slack or joint.pos_limit[1] > high + slack:
        ends = f"[{joint.pos_limit[0]:.4g}, {joint.pos_limit[1]:.4g}]"
        notes.warn(f"{where}.pos_limit", f"is {ends}; {stops}", "narrow it, unless the file is wrong")


def drives(patient: Patient) -> Notes:
    """Compare effort and velocity limits of robot.yaml with those of the model file."""
    if patient.urdf is None:
        raise Skipped("an MJCF file; robot.yaml alone says what the drives can do")
    notes = Notes()
    for name, joint in patient.urdf.movable.items():
        _contradictions(notes, f"{patient.urdf.path}: joint {name}", joint)
    for joint_in_yaml in patient.spec.contract.joints:
        found = patient.urdf.movable.get(joint_in_yaml.name)
        if found is not None:
            _compare_drive(notes, patient, joint_in_yaml, found)
    return notes


def _contradictions(notes: Notes, where: str, joint: UrdfJoint) -> None:
    if joint.lower is not None and joint.upper is not None and joint.lower > joint.upper:
        notes.wrong(where, f"lower {joint.lower:g} is above upper {joint.upper:g}", "swap them, or make it continuous")
    for key in ("effort", "velocity"):
        value = getattr(joint, key)
        if value is not None and value < 0:
            notes.wrong(where, f"{key} is {value:g}", f"state the largest {key}, positive")


def _compare_drive(notes: Notes, patient: Patient, joint: Joint, model: UrdfJoint) -> None:
    assert patient.urdf is not None
    where = f"{patient.urdf.path}: joint {joint.name}"
    if model.effort is None:
        message = f"no effort limit, which PyBullet reads as 0; robot.yaml says {joint.torque_limit:g}"
        notes.warn(where, message, "check torque_limit against the data sheet")
    elif model.effort == 0:
        notes.wrong(where, "effort limit is 0: a motor without torque", "state the motor's largest torque")
    elif joint.torque_limit > model.effort * (1 + SLACK):
        message = f"torque_limit is {joint.torque_limit:g}, the model's effort {model.effort:g}"
        notes.warn(f"{patient.source}: contract.joints.{joint.name}", message, "take the smaller, or say why not")
    if model.velocity and joint.vel_limit > model.velocity * (1 + SLACK):
        message = f"vel_limit is {joint.vel_limit:g}, the model's velocity {model.velocity:g}"
        notes.warn(f"{patient.source}: contract.joints.{joint.name}", message, "take the smaller, or say why not")
