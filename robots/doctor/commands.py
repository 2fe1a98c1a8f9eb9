"""Whether commands, drives and clocks of a contract fit together: arithmetic, no simulation."""

from __future__ import annotations

from robots.contract import Action, Joint
from robots.doctor.patient import Patient
from robots.doctor.report import Notes

SATURATION = 5.0
"""Ratio of asked to available torque beyond which a position drive is a switch."""

LAG = 0.1
"""How far a joint may usually be behind its command, as time [s] at the rate limit."""

SLOWEST = 100.0
"""Control periods a command may take from one end of its range to the other."""


def commands(patient: Patient) -> Notes:
    """Compare what actions can ask for with what joints and motors can do."""
    notes, contract = Notes(), patient.spec.contract
    limits = zip(contract.joints, contract.command_limits, contract.max_command_change, strict=True)
    for i, (joint, (low, high), change) in enumerate(limits):
        where = f"{patient.source}: contract.action, joint {joint.name}"
        _clipped(notes, where, contract.action, i, low, high)
        if contract.action.mode == "position":
            _saturated(notes, where, joint, min(contract.action.scale[i], LAG * contract.action.rate_limit[i]))
        if change * SLOWEST < high - low:
            periods = (high - low) / change
            notes.warn(f"{where}: rate_limit", f"its range takes {periods:.0f} control periods", "raise it")
    notes.note = f"{contract.action.mode} mode, {1 / contract.control_dt:.0f} Hz"
    return notes


def _clipped(notes: Notes, where: str, action: Action, i: int, low: float, high: float) -> None:
    asked, reached = 2 * action.scale[i], high - low
    if reached < 0.7 * asked:
        share = 1 - reached / asked
        message = f"{share:.0%} of the action range is cut off by the joint's limits"
        notes.warn(f"{where}: scale", message, f"offset {(low + high) / 2:.4g}, scale {reached / 2:.4g} use all of it")


def _saturated(notes: Notes, where: str, joint: Joint, error: float) -> None:
    """Compare with the torque that the largest usual error [rad] asks for."""
    asked = (joint.kp or 0.0) * error
    if asked > SATURATION * joint.torque_limit:
        message = f"kp asks for {asked:.3g} N·m when {error:.2g} rad off, the motor has {joint.torque_limit:g}"
        notes.warn(f"{where}: kp", message, "lower kp or scale: the drive acts as a switch")


def clocks(patient: Patient) -> Notes:
    """Look for delays and periods that rounding to whole steps makes vanish."""
    notes, contract, model = Notes(), patient.spec.contract, patient.spec.model
    for signal in contract.signals:
        for key in ("delay", "period"):
            _vanishing(
                notes, f"{patient.source}: signal {signal.name}: {key}", getattr(signal, key), contract.control_dt
            )
    for pattern, drive in model.drives.items():
        _vanishing(notes, f"{patient.source}: model.drives.{pattern}: delay", drive.delay, model.physics_dt)
    solver = model.physics_dt / model.solver_substeps
    if solver > 0.01:
        notes.warn(f"{patient.source}: model.physics_dt", f"the solver steps {solver:g} s", "5 ms or less is usual")
    ratio = patient.spec.physics_steps
    notes.note = f"{contract.control_dt * 1e3:g} ms control = {ratio} × {model.physics_dt * 1e3:g} ms physics"
    return notes


def _vanishing(notes: Notes, where: str, value: float | None, step: float) -> None:
    if value and round(value / step) < 1:
        notes.warn(where, f"{value:g} s is less than half a step of {step:g} s", "it has no effect; leave it out")
