"""What may be wrong with a run: each check is a function of the log and, where they are known, of the joints' limits.

A finding refuses the run or warns about it, and names the row, what it holds and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal, NamedTuple

import numpy as np

from robots.contract import Contract, Joint
from robots.logbook.errors import LogError
from robots.logs import MAX_GAP, Log

DEGREES = 180 / pi
MIN_SECONDS = 1.0
MAX_STEP, MIN_STEP = 0.5, 2e-5
"""Sensible periods of a log [s]: outside, the time is in another unit."""

WINDOW = 0.1
"""Time over which positions and integrated velocities are compared [s]: noise is small beside motion."""

AGREE = 0.6
"""Correlation above which two columns speak of one motion."""

Verdict = Literal["refused", "warning"]


class Finding(NamedTuple):
    """One thing that is wrong: the check, its verdict, what was found in which row, and what would be right."""

    check: str
    verdict: Verdict
    what: str
    row: int | None = None
    valid: str = ""

    @property
    def sentence(self) -> str:
        """The finding in words."""
        place = "" if self.row is None else f"row {self.row}: "
        return f"{place}{self.what}" + (f"; valid: {self.valid}" if self.valid else "")


@dataclass(frozen=True)
class Machine:
    """What is known of the robot: names of all joints in the log's order; of the driven ones their contract, if any.

    `largest` is what each of them can be commanded, in the command's unit.
    """

    joints: tuple[str, ...]
    driven: tuple[Joint, ...] = ()
    largest: tuple[float, ...] = ()
    free: bool = False


def machine_of(contract: Contract, joints: Sequence[str], free: bool = False) -> Machine:
    """Return what a contract tells of a robot with these joints, the driven ones first."""
    largest = tuple(max(-low, high) for low, high in contract.command_limits)
    return Machine(tuple(joints), contract.joints, largest, free)


def examine(log: Log, machine: Machine) -> list[Finding]:
    """Return everything found; later checks are made only where numbers and clock are sound."""
    for stage in STAGES:
        found = [finding for check in stage for finding in check(log, machine)]
        if any(finding.verdict == "refused" for finding in found):
            return found
    return [finding for stage in STAGES for check in stage for finding in check(log, machine)]


def require_sound(log: Log, machine: Machine, file: str = "") -> list[Finding]:
    """Return the warnings about a run; raises `LogError` with the first reason to refuse it."""
    findings = examine(log, machine)
    for finding in findings:
        if finding.verdict == "refused":
            raise LogError(file or log.name, finding.what, finding.row, finding.valid)
    return findings


def numbers(log: Log, machine: Machine) -> Iterator[Finding]:
    """NaN and infinity in any column that is used."""
    columns = {"time": log.time[:, None], "pos": log.joint_pos, "vel": log.joint_vel, "command": log.command}
    for name, values in columns.items():
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            joint = "" if name == "time" else f" of {machine.joints[bad[0][1]]}"
            more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            yield Finding(
                "numbers", "refused", f"{name}{joint} is {values[tuple(bad[0])]}{more}", int(bad[0][0]), "a number"
            )


def clock(log: Log, machine: Machine) -> Iterator[Finding]:
    """Time that does not increase, in another unit, with gaps, or over too soon."""
    steps = np.diff(log.time)
    back = np.flatnonzero(steps <= 0)
    if len(back):
        row = int(back[0]) + 1
        what = f"time is {log.time[row]:.6g} s after {log.time[row - 1]:.6g} s ({len(back)} rows step back)"
        yield Finding("clock", "refused", what, row, "increasing time")
        return
    step = float(np.median(steps))
    if not MIN_STEP <= step <= MAX_STEP:
        what = f"rows are {step:.3g} s apart: is the time in another unit?"
        yield Finding("clock", "refused", what, 1, f"{MIN_STEP:g} to {MAX_STEP:g} s; see 'unit' of 'time'")
        return
    if np.ptp(log.time) < MIN_SECONDS:
        what = f"the run ends after {np.ptp(log.time):.3g} s"
        yield Finding("clock", "refused", what, len(log.time) - 1, f"at least {MIN_SECONDS:g} s")
    for row in gap_rows(log)[:1]:
        count, lost = len(gap_rows(log)), steps[gap_rows(log)].sum()
        what = f"nothing for {steps[row]:.3g} s ({count} gaps, {lost:.3g} s in all)"
        yield Finding("gaps", "warning", what, int(row), f"at most {longest_gap(log):.3g} s; no segment crosses a gap")


def longest_gap(log: Log) -> float:
    """Return the longest time between rows over which a command can be taken to have stood [s]."""
    return max(MAX_GAP, 2.5 * float(np.median(np.diff(log.time))))


def gap_rows(log: Log) -> np.ndarray:
    """Return the rows after which there is nothing for too long."""
    return np.flatnonzero(np.diff(log.time) > longest_gap(log))


def command(log: Log, machine: Machine) -> Iterator[Finding]:
    """An input that never changes tells nothing of what it does."""
    if machine.free or (log.command.size and (np.ptp(log.command, axis=0) > 0).any()):
        return
    what = "no command" if not log.command.size else f"every command stays {_texts(log.command[0])} to the end"
    yield Finding("command", "refused", what, 0, "a command that changes, or 'free: true' for free motion")


def units(log: Log, machine: Machine) -> Iterator[Finding]:
    """Velocity that is not the derivative of position, by a factor; 57.3 is degrees."""
    moved, integral, rows = _motion(log)
    for j, name in enumerate(machine.joints):
        relation = _correlation(moved[:, j], integral[:, j])
        if abs(relation) < AGREE:
            continue
        factor = float(np.sqrt(np.sum(moved[:, j] ** 2) / np.sum(integral[:, j] ** 2)))
        row = int(rows[np.abs(moved[:, j]).argmax()])
        if relation < 0:
            yield Finding("units", "refused", f"{name} moves against its velocity", row, "one sign for both")
        elif not 0.7 < factor < 1.4:
            yield Finding("units", "refused", _factor_text(name, factor), row, "a factor of 1")


def _factor_text(name: str, factor: float) -> str:
    degrees = "position" if factor > 1 else "velocity"
    is_degrees = 0.8 < factor / DEGREES < 1.25 or 0.8 < factor * DEGREES < 1.25
    hint = f": its {degrees} is in degrees (57.3)" if is_degrees else ""
    return f"{name} moves {factor:.3g} times as far as its velocity says{hint}"


def limits(log: Log, machine: Machine) -> Iterator[Finding]:
    """Positions, velocities and commands that the joint cannot have; 57.3 times too much is degrees."""
    for j, joint in enumerate(machine.driven):
        low, high = joint.pos_limit
        yield from _beyond(f"pos of {joint.name}", log.joint_pos[:, j], max(-low, high), "rad")
        yield from _beyond(f"vel of {joint.name}", log.joint_vel[:, j], joint.vel_limit, "rad/s")


def _beyond(name: str, values: np.ndarray, limit: float, unit: str) -> Iterator[Finding]:
    row = int(np.abs(values).argmax())
    largest = float(abs(values[row]))
    if largest <= 1.02 * limit:
        return
    if largest > 3 * limit and largest / DEGREES <= 1.02 * limit:
        what = f"{name} is {values[row]:.4g} {unit}, {largest / limit:.3g} times its limit: is it in degrees (57.3)?"
        yield Finding("limits", "refused", what, row, f"at most {limit:.4g} {unit}; see 'unit'")
    else:
        yield Finding("limits", "warning", f"{name} is {values[row]:.4g} {unit}", row, f"at most {limit:.4g} {unit}")


def order(log: Log, machine: Machine) -> Iterator[Finding]:
    """Columns that belong to another joint: a velocity, or a measured torque, that follows another joint's better."""
    moved, integral, _ = _motion(log)
    yield from _swapped("velocity", moved, integral, machine.joints)
    if log.torque is not None:
        names = tuple(joint.name for joint in machine.driven) or machine.joints
        yield from _swapped("torque", log.command, log.torque, names)


def _swapped(what: str, mine: np.ndarray, theirs: np.ndarray, names: Sequence[str]) -> Iterator[Finding]:
    count = min(mine.shape[1], theirs.shape[1])
    table = np.array([[_correlation(mine[:, i], theirs[:, j]) for j in range(count)] for i in range(count)])
    for i in range(count):
        j = int(table[i].argmax())
        if j != i and table[i, j] > AGREE and table[i, j] > table[i, i] + 0.3:
            text = f"the {what} of {names[j]} follows {names[i]} (correlation {table[i, j]:.2f}, own {table[i, i]:.2f})"
            yield Finding("order", "refused", text, 0, "columns mapped to their own joints")


def saturation(log: Log, machine: Machine) -> Iterator[Finding]:
    """Commands beyond what the contract allows, or long at one extreme."""
    for j, (joint, most) in enumerate(zip(machine.driven, machine.largest, strict=True)):
        if j >= log.command.shape[1] or np.ptp(log.command[:, j]) == 0:
            continue
        size = np.abs(log.command[:, j])
        row = int(size.argmax())
        share = float(np.mean(size >= 0.999 * size[row]))
        if size[row] > 1.001 * most:
            what = f"command of {joint.name} is {log.command[row, j]:.4g}, which the drive clips"
            yield Finding("saturation", "warning", what, row, f"at most {most:g}")
        elif share > 0.1:
            what = f"command of {joint.name} is at its largest, {size[row]:.4g}, in {share:.0%} of the rows"
            yield Finding("saturation", "warning", what, row, "an excitation between its extremes")


def frozen(log: Log, machine: Machine) -> Iterator[Finding]:
    """Readings that repeat to the last bit: lost packets, or a sensor slower than the log."""
    same = (np.diff(log.joint_pos, axis=0) == 0).all(1) & (np.diff(log.joint_vel, axis=0) == 0).all(1)
    moving = np.abs(log.joint_vel[1:]).max(1) > 0.05 * np.abs(log.joint_vel).max() if len(same) else same
    repeated = np.flatnonzero(same & moving)
    if len(repeated) > 0.01 * len(same):
        what = f"{len(repeated) / len(same):.1%} of the rows repeat the one before while the robot moves"
        yield Finding("frozen", "warning", what, int(repeated[0]) + 1, "a new reading in every row")


def _motion(log: Log) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far each joint moved within `WINDOW`, what its velocity says of that, and the rows where it began."""
    steps = np.diff(log.time)
    way = np.concatenate(
        [
            np.zeros((1, log.joint_vel.shape[1])),
            np.cumsum(0.5 * (log.joint_vel[1:] + log.joint_vel[:-1]) * steps[:, None], 0),
        ]
    )
    ends = np.searchsorted(log.time, log.time + WINDOW)
    rows = np.flatnonzero(ends < len(log.time))
    rows = rows[log.time[ends[rows]] - log.time[rows] < WINDOW + longest_gap(log)]
    return log.joint_pos[ends[rows]] - log.joint_pos[rows], way[ends[rows]] - way[rows], rows


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Uncentred correlation; 0 where either is still."""
    size = float(np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return float(np.sum(a * b)) / size if size > 0 else 0.0


def _texts(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


Check = Callable[[Log, Machine], Iterator[Finding]]
STAGES: tuple[tuple[Check, ...], ...] = ((numbers,), (clock,), (command, units, limits, order, saturation, frozen))
"""Checks in order; where a stage refuses, those after it would speak of nonsense."""
