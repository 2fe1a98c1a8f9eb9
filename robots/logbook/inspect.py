"""One log examined: its facts, what is wrong with it, its delay and noise, and what it can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from domain_rand.schema import ConfigError
from robots.logbook.checks import Finding, Machine, examine, machine_of
from robots.logbook.columns import ColumnMap, ordered, published
from robots.logbook.errors import LogError
from robots.logbook.estimates import noise_sd, quantum, response_lag
from robots.logbook.reading import read_runs
from robots.logbook.telling import tells
from robots.logs import Log, command_lag
from robots.spec import RobotSpec


@dataclass(frozen=True)
class Inspection:
    """What was found out about one run; `facts` are numbers, `findings` what is wrong, `sentences` what it can tell."""

    run: str
    facts: dict[str, Any]
    findings: tuple[Finding, ...]
    sentences: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing refuses the run."""
        return all(finding.verdict != "refused" for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return plain data for machines."""
        findings = [finding._asdict() for finding in self.findings]
        return {"run": self.run, "sound": self.sound, **self.facts, "findings": findings, "tells": list(self.sentences)}


def columns_for(spec: RobotSpec | None, file: Path | None) -> tuple[ColumnMap, Machine]:
    """Return the map to read logs with, and what is known of the machine.

    Without a file the published names are taken, which needs a robot to know how many joints there are. Raises
    `ConfigError`.
    """
    columns = None if file is None else ColumnMap.load(file)
    if spec is None:
        if columns is None:
            raise ConfigError("neither robot nor column map: one of them must name the joints")
        return columns, Machine(tuple(columns.joints), free=columns.free)
    driven = spec.contract.joint_names
    columns = published(spec.joint_names, len(driven)) if columns is None else columns
    columns = ordered(columns, spec.joint_names, driven, str(file or "columns"))
    return columns, machine_of(spec.contract, spec.joint_names, columns.free)


def inspect_file(path: str | Path, columns: ColumnMap, machine: Machine) -> list[Inspection]:
    """Examine the runs of one file; what cannot be read is a finding too."""
    try:
        logs = read_runs(path, columns)
    except LogError as error:
        return [Inspection(Path(path).stem, {}, (Finding("file", "refused", error.what, error.row, error.valid),), ())]
    return [inspect_log(log, machine) for log in logs]


def inspect_log(log: Log, machine: Machine) -> Inspection:
    """Examine one run; delay and noise are estimated only of a sound one."""
    findings = tuple(examine(log, machine))
    facts: dict[str, Any] = {"rows": len(log.time), "joints": list(machine.joints)}
    if any(finding.verdict == "refused" for finding in findings):
        return Inspection(log.name, facts, findings, ())
    lags = _lags(log, machine)
    facts |= {"seconds": float(np.ptp(log.time)), "period": float(np.median(np.diff(log.time)))}
    facts |= {"delay": {name: lag for name, (lag, _) in lags.items()}, "torque_lag": _torque_lag([log], machine)}
    facts |= {
        "pos_noise": _by_joint(machine, noise_sd(log.joint_pos)),
        "vel_noise": _by_joint(machine, noise_sd(log.joint_vel)),
    }
    facts["pos_step"] = _by_joint(machine, np.array([quantum(pos) for pos in log.joint_pos.T]))
    return Inspection(log.name, facts, findings, tuple(tells(log, machine, lags)))


def _by_joint(machine: Machine, values: np.ndarray) -> dict[str, float]:
    return dict(zip(machine.joints, values.tolist(), strict=True))


def _lags(log: Log, machine: Machine) -> dict[str, tuple[float, float]]:
    """Lag of each driven joint that is commanded something."""
    names = [joint.name for joint in machine.driven] or list(machine.joints)
    moved = np.ptp(log.command, axis=0) > 0
    return {names[j]: response_lag(log, j) for j in range(log.command.shape[1]) if moved[j]}


def _torque_lag(logs: Sequence[Log], machine: Machine) -> float | None:
    """Lag of the measured torque behind the command, where both were recorded."""
    limits = machine.largest or (np.inf,) * logs[0].command.shape[1]
    try:
        return command_lag(logs, limits)
    except ConfigError:
        return None
