"""Every control tick of a run as numbers: what was read, asked for and sent. Written once, at the end.

While the run lasts, a tick costs one row assignment; memory comes in blocks, so nothing is ever copied in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading

BLOCK = 4096
TICK_COLUMNS = ("time", "sequence", "trial_start", "episode_start", "latency_us")


class Tick(NamedTuple):
    """One control period: the reading, the command asked for (None: refused, and why), what was sent, and how soon.

    `latency_us` runs from the reading's arrival to the command's departure.
    """

    reading: Reading
    requested: Mapping[str, float] | None
    sent: Mapping[str, float]
    latency_us: float
    refused: str | None = None


@dataclass(frozen=True)
class Recording:
    """A run, read back; `T` ticks in order. Signals are `[T, size]`, commands `[T]` per joint, NaN where none was.

    `time` is the robot's clock [s]; `latency_us` from reading to command. A refused tick has NaN in `requested`.
    """

    contract: Contract
    time: np.ndarray
    sequence: np.ndarray
    trial_start: np.ndarray
    episode_start: np.ndarray
    latency_us: np.ndarray
    signals: dict[str, np.ndarray]
    requested: dict[str, np.ndarray]
    sent: dict[str, np.ndarray]


class Recorder:
    """Keeps ticks in memory and writes `path` (.npz) on `save`, or on leaving its `with` block, however it is left."""

    def __init__(self, path: str | Path, contract: Contract) -> None:
        self.path = Path(path)
        self.contract = contract
        self._sizes = [(signal.name, signal.size) for signal in contract.signals]
        self._width = len(TICK_COLUMNS) + contract.obs_size + 2 * len(contract.joints)
        self._blocks: list[np.ndarray] = []
        self._row = BLOCK

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK - (BLOCK - self._row) if self._blocks else 0

    def add(self, tick: Tick) -> None:
        """Keep one tick."""
        if self._row == BLOCK:
            self._blocks.append(np.empty((BLOCK, self._width)))
            self._row = 0
        self._blocks[-1][self._row] = self._values(tick)
        self._row += 1

    def save(self) -> Path:
        """Write everything kept so far, compressed; the file appears whole or not at all."""
        rows = np.concatenate(self._blocks)[: len(self)] if self._blocks else np.empty((0, self._width))
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **self._columns(rows))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)
        finally:
            unfinished.unlink(missing_ok=True)
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.save()

    def _values(self, tick: Tick) -> list[float]:
        reading, joints = tick.reading, self.contract.joint_names
        row = [reading.time, reading.sequence, reading.trial_start, reading.episode_start, tick.latency_us]
        for name, size in self._sizes:
            values = reading.signals.get(name, ())
            row += values if len(values) == size else [np.nan] * size
        requested = tick.requested or {}
        row += [requested.get(name, np.nan) for name in joints]
        row += [tick.sent.get(name, np.nan) for name in joints]
        return row

    def _columns(self, rows: np.ndarray) -> dict[str, Any]:
        joints, obs = len(self.contract.joints), self.contract.obs_size
        ticks, signals, requested, sent = np.split(rows, np.cumsum([len(TICK_COLUMNS), obs, joints]), axis=1)
        names = [f"{name}[{i}]" for name, size in self._sizes for i in range(size)]
        return {
            **dict(zip(TICK_COLUMNS, ticks.T, strict=True)),
            "signals": signals,
            "requested": requested,
            "sent": sent,
            "signal_columns": np.array(names),
            "joint_columns": np.array(self.contract.joint_names),
            "contract": np.array(json.dumps(self.contract.plain())),
        }


def load_recording(path: str | Path) -> Recording:
    """Read a recording; raises `ConfigError` when the file is absent or not a recording."""
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
        contract = Contract.parse(json.loads(str(data["contract"])), str(path))
        signals = {name: data["signals"][:, where] for name, where in contract.signal_slices.items()}
        requested, sent = (dict(zip(contract.joint_names, data[key].T, strict=True)) for key in ("requested", "sent"))
        ticks = {name: data[name] for name in TICK_COLUMNS}
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ConfigError(f"{path}: not a recording ({error})") from None
    ticks["sequence"] = ticks["sequence"].astype(np.int64)
    for flag in ("trial_start", "episode_start"):
        ticks[flag] = ticks[flag].astype(bool)
    return Recording(contract, **ticks, signals=signals, requested=requested, sent=sent)
