"""Run every check on a robot, files first: what a file gets wrong, a simulation would only show in disguise."""

from __future__ import annotations

from collections.abc import Callable

from domain_rand.schema import ConfigError
from robots.doctor import commands, files, motion, worlds
from robots.doctor.patient import Patient
from robots.doctor.report import Check, Diagnosis, Finding, Notes, Skipped
from robots.spec import robot_folder

CHECKS: dict[str, Callable[[Patient], Notes]] = {
    "meshes": files.meshes,
    "inertia": files.inertia,
    "joints": files.joints,
    "drives": files.drives,
    "commands": commands.commands,
    "clocks": commands.clocks,
    "motors_off": motion.motors_off,
    "settles": motion.settles,
    "wiggle": motion.wiggle,
    "randomization": worlds.randomization,
    "signals": worlds.signals,
}
"""Name to check, in the order they are made; those from `motors_off` on simulate."""

SIMULATED = ("motors_off", "settles", "wiggle", "randomization", "signals")


def examine(robot: str, task: str | None = None, report: Callable[[int], None] = lambda made: None) -> Diagnosis:
    """Make all checks of a robot given by name or path; raises `ConfigError` when there is no such robot.

    Simulation is skipped when its files are wrong in a way that it cannot start from. `report` hears how many checks
    have been made.
    """
    name = robot_folder(robot).name
    try:
        patient = Patient(robot, task)
    except ConfigError as error:
        finding = Finding(str(robot_folder(robot)), str(error), "mend the file; nothing else was checked")
        return Diagnosis(name, (Check("files", "Read the robot's folder.", (finding,)),))
    checks = [Check("files", "Read the robot's folder.", note=str(patient.model_file))]
    try:
        for check in CHECKS:
            checks.append(_make(check, patient, checks))
            report(len(checks) - 1)
    finally:
        patient.close()
    return Diagnosis(name, tuple(checks))


def _make(name: str, patient: Patient, before: list[Check]) -> Check:
    check = CHECKS[name]
    meaning = (check.__doc__ or "").strip()
    blocking = [done.name for done in before if done.name in ("meshes", "joints", "load") and done.verdict == "wrong"]
    if blocking and name in SIMULATED:
        return Check(name, meaning, note=f"mend first: {', '.join(blocking)}", skipped=True)
    try:
        notes = check(patient)
    except Skipped as why:
        return Check(name, meaning, note=str(why), skipped=True)
    except (ConfigError, ValueError, RuntimeError) as error:
        return Check(name, meaning, (Finding(patient.source, str(error), "mend this first"),))
    return Check(name, meaning, tuple(notes), notes.note)
