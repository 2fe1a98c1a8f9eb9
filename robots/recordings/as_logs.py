"""Recordings as logs: the runs that simulations are judged by, whichever way they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from domain_rand.schema import ConfigError, nearest
from robots.contract import Contract
from robots.logs import Columns, Log, log_of, read_log
from robots.recordings.files import read_recording
from robots.recordings.recording import Recording

MIN_ROWS = 2


def read_logs(path: str | Path, joints: int) -> list[Log]:
    """Read the runs of one file: a published log is one, a recording one for each episode. Raises `ConfigError`."""
    path = Path(path)
    if path.suffix != ".mcap" and not is_recording(path):
        return [read_log(path, joints)]
    return logs_of(read_recording(path), joints, path)


def logs_of(recording: Recording, joints: int, path: Path) -> list[Log]:
    """Cut a recording at its episodes: in each, `joint_pos`, `joint_vel` and the command that was sent.

    A tick without them is left out, and an episode with less than two ticks. Raises `ConfigError` when the robot has
    another number of joints, or the contract has no signals that tell position and velocity of each.
    """
    columns = _columns(recording, joints, path)
    starts = recording.trial_start | recording.episode_start
    starts[:1] = True
    runs = np.split(np.arange(len(recording)), np.flatnonzero(starts)[1:])
    logs = []
    for number, rows in enumerate(runs):
        run = {name: values[rows] for name, values in columns.items()}
        whole = np.isfinite(np.stack(list(run.values()))).all(0)
        if whole.sum() >= MIN_ROWS:
            name = path.with_name(f"{path.stem}#{number}{path.suffix}") if len(runs) > 1 else path
            logs.append(log_of({key: values[whole] for key, values in run.items()}, joints, name))
    if not logs:
        raise ConfigError(f"{path}: no episode of at least {MIN_ROWS} ticks with position, velocity and command")
    return logs


def _columns(recording: Recording, joints: int, path: Path) -> Columns:
    contract = recording.contract
    if len(contract.joints) != joints:
        raise ConfigError(f"{path}: a recording of {contract.robot}, which has {len(contract.joints)} joints")
    measured = {"pos_meas": "joint_pos", "vel_meas": "joint_vel", "tau_meas": "joint_torque"}
    columns = {"time": recording.time}
    for kind, source in measured.items():
        signal = _signal(contract, source)
        if signal is None and source != "joint_torque":
            raise ConfigError(
                f"{path}: no signal reads {source} of all joints; {nearest(source, contract.signal_names)}"
            )
        if signal is not None:
            columns |= {f"{kind}{i + 1}": recording.signals[signal][:, i] for i in range(joints)}
    return columns | {f"tau_con{i + 1}": recording.sent[name] for i, name in enumerate(contract.joint_names)}


def _signal(contract: Contract, source: str) -> str | None:
    sizes = {(s.measures, s.size): s.name for s in contract.signals}
    return sizes.get((source, len(contract.joints)))


def is_recording(path: Path) -> bool:
    """Return whether an `.npz` holds the ticks of a recording, and not a published log."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return "tick_columns" in file.files
    except (OSError, ValueError, AttributeError):
        return False
