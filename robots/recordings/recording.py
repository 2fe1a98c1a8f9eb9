"""What a run leaves behind: one row of numbers for each control tick, and what went wrong in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robots.contract import Contract
from robots.drivers.base import Reading

TICK_COLUMNS = ("time", "sequence", "trial_start", "episode_start", "latency_us", "reward", "dropped")
"""Columns before the signals: see `Recording`."""


class Tick(NamedTuple):
    """One control period: the reading, the command asked for (None: refused, and why), what was sent, and how soon.

    `latency_us` runs from the reading's arrival to the command's departure.
    """

    reading: Reading
    requested: Mapping[str, float] | None
    sent: Mapping[str, float]
    latency_us: float
    refused: str | None = None


class Origin(NamedTuple):
    """Where a recording comes from: the contract, and the fingerprint of the bundle that drove (empty: none did)."""

    contract: Contract
    bundle: str = ""


@dataclass(frozen=True)
class Recording:
    """A run, read back; `T` ticks in order. Signals are `[T, size]`, commands `[T]` per joint, NaN where none was.

    `time` is the robot's clock [s]; `latency_us` from reading to command. A refused tick has NaN in `requested` and its
    reason, by row, in `refused`. `dropped` counts the ticks that were not recorded, in all and before each row.
    """

    contract: Contract
    bundle: str
    time: np.ndarray
    sequence: np.ndarray
    trial_start: np.ndarray
    episode_start: np.ndarray
    latency_us: np.ndarray
    reward: np.ndarray
    dropped_before: np.ndarray
    signals: dict[str, np.ndarray]
    requested: dict[str, np.ndarray]
    sent: dict[str, np.ndarray]
    refused: dict[int, str]
    dropped: int

    def __len__(self) -> int:
        return len(self.time)


def row_width(contract: Contract) -> int:
    """Return how many numbers one tick is."""
    return len(TICK_COLUMNS) + contract.obs_size + 2 * len(contract.joints)


def row_of(tick: Tick, dropped: int, contract: Contract) -> list[float]:
    """Return a tick as numbers: `TICK_COLUMNS`, signals, requested, sent; NaN where a value is missing."""
    reading, joints = tick.reading, contract.joint_names
    reward = np.nan if reading.reward is None else reading.reward
    row = [reading.time, reading.sequence, reading.trial_start, reading.episode_start, tick.latency_us, reward, dropped]
    for signal in contract.signals:
        values = reading.signals.get(signal.name, ())
        row += values if len(values) == signal.size else [np.nan] * signal.size
    requested = tick.requested or {}
    row += [requested.get(name, np.nan) for name in joints]
    row += [tick.sent.get(name, np.nan) for name in joints]
    return row


def recording_of(origin: Origin, rows: np.ndarray, refused: Mapping[int, str], dropped: int) -> Recording:
    """Make a recording of rows `[T, row_width]`; raises `ValueError` when their width does not fit the contract."""
    contract = origin.contract
    if rows.ndim != 2 or rows.shape[1] != row_width(contract):
        raise ValueError(f"rows of the shape {rows.shape}, {row_width(contract)} numbers each expected")
    joints, names = len(contract.joints), contract.joint_names
    ends = np.cumsum([len(TICK_COLUMNS), contract.obs_size, joints])
    ticks, signals, requested, sent = np.split(rows, ends, axis=1)
    time, sequence, trial_start, episode_start, latency_us, reward, dropped_before = ticks.T
    return Recording(
        contract,
        origin.bundle,
        time,
        sequence.astype(np.int64),
        trial_start.astype(bool),
        episode_start.astype(bool),
        latency_us,
        reward,
        dropped_before.astype(np.int64),
        {name: signals[:, where] for name, where in contract.signal_slices.items()},
        dict(zip(names, requested.T, strict=True)),
        dict(zip(names, sent.T, strict=True)),
        dict(refused),
        max(dropped, int(dropped_before[-1]) if len(rows) else 0),
    )


def reading_at(recording: Recording, row: int) -> Reading:
    """Return the reading of one row as the driver gave it; a signal that did not arrive is left out."""
    signals: dict[str, Sequence[float]] = {}
    for name, values in recording.signals.items():
        if not np.isnan(values[row]).all():
            signals[name] = values[row].tolist()
    reward = float(recording.reward[row])
    return Reading(
        int(recording.sequence[row]),
        float(recording.time[row]),
        signals,
        bool(recording.episode_start[row]),
        bool(recording.trial_start[row]),
        reward=None if np.isnan(reward) else reward,
    )


def command_at(columns: Mapping[str, np.ndarray], row: int) -> dict[str, float] | None:
    """Return the command of one row, by joint; None where there was none."""
    command = {name: float(values[row]) for name, values in columns.items()}
    return None if np.isnan(list(command.values())).any() else command
