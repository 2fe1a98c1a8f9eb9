"""A recording as `.npz`, for NumPy alone: written in parts every few seconds, joined into one file at the end.

While a run lasts its parts lie in `PATH.parts/`, each a whole recording of a few seconds. After a crash they are still
there, and reading `PATH` reads them: at most the last `PART_SECONDS` are lost.

Arrays: `ticks` `[T, 7]` (`tick_columns`), `signals` `[T, obs]` (`signal_columns`), `requested` and `sent` `[T, joints]`
(`joint_columns`), `refused_rows` and `refused_reasons`; scalars: `contract` (JSON), `fingerprint`, `bundle`, `dropped`.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.recordings.recording import TICK_COLUMNS, Origin, Recording, Tick, recording_of, row_of, row_width

BLOCK = 4096
"""Ticks in a part at most: rows are copied into place one by one, so that no part costs a long conversion."""

PART_SECONDS = 3.0
"""A part is written so often [s]: what a crash can cost."""

Refused = dict[int, str]


class NpzWriter:
    """Writes one recording; raises `ConfigError` where a crashed run has left parts that nobody has looked at."""

    def __init__(self, path: Path, origin: Origin) -> None:
        self._path, self._origin = path, origin
        self._parts = parts_folder(path)
        if self._parts.exists():
            raise ConfigError(
                f"{self._parts}: left by a run that did not end; read it as {path}, then move it away or delete it"
            )
        self._parts.mkdir(parents=True)
        self._constant = _constant_arrays(origin)
        self._block = np.empty((BLOCK, row_width(origin.contract)))
        self._parts_written = 0
        self._begin_part()

    def add(self, tick: Tick, dropped: int) -> None:
        """Keep a tick; every `PART_SECONDS` a part is written."""
        if tick.refused is not None:
            self._refused[self._ticks] = tick.refused
        self._block[self._ticks] = row_of(tick, dropped, self._origin.contract)
        self._ticks += 1
        if self._ticks == BLOCK or monotonic() >= self._due:
            self._write_part(dropped)

    def close(self, dropped: int) -> None:
        """Join the parts into the file, which appears whole or not at all."""
        self._write_part(dropped)
        rows, refused = _joined([_load(part) for part in sorted(self._parts.glob("*.npz"))])
        self._write(self._path, rows, refused, dropped, np.savez_compressed)
        shutil.rmtree(self._parts)

    def _begin_part(self) -> None:
        self._ticks = 0
        self._refused: Refused = {}
        self._due = monotonic() + PART_SECONDS

    def _write_part(self, dropped: int) -> None:
        part = self._parts / f"{self._parts_written:06d}.npz"
        self._write(part, self._block[: self._ticks], self._refused, dropped, np.savez)
        self._parts_written += 1
        self._begin_part()

    def _write(self, path: Path, rows: np.ndarray, refused: Refused, dropped: int, save: Callable[..., None]) -> None:
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as file:
                save(file, **self._constant, **_arrays(self._origin, rows, refused, dropped))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def parts_folder(path: Path) -> Path:
    """Return where the parts of an unfinished recording lie."""
    return path.with_name(path.name + ".parts")


def read_npz(path: Path) -> Recording:
    """Read a recording, or the parts that a crash has left of one; raises `ConfigError`."""
    files = [_load(part) for part in sorted(parts_folder(path).glob("*.npz")) or [path]]
    try:
        rows, refused = _joined(files)
        return recording_of(_origin(files[0]), rows, refused, int(files[-1]["dropped"]))
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{path}: not a recording ({error})") from None


def _arrays(origin: Origin, rows: np.ndarray, refused: Mapping[int, str], dropped: int) -> dict[str, Any]:
    contract = origin.contract
    ends = np.cumsum([len(TICK_COLUMNS), contract.obs_size, len(contract.joints)])
    ticks, signals, requested, sent = np.split(rows, ends, axis=1)
    return {
        "ticks": ticks,
        "signals": signals,
        "requested": requested,
        "sent": sent,
        "refused_rows": np.array(list(refused), dtype=np.int64),
        "refused_reasons": np.array(list(refused.values()), dtype=np.str_),
        "dropped": np.array(dropped),
    }


def _constant_arrays(origin: Origin) -> dict[str, Any]:
    contract = origin.contract
    return {
        "tick_columns": np.array(TICK_COLUMNS),
        "signal_columns": np.array([f"{s.name}[{i}]" for s in contract.signals for i in range(s.size)]),
        "joint_columns": np.array(contract.joint_names),
        "contract": np.array(json.dumps(contract.plain())),
        "fingerprint": np.array(contract.fingerprint),
        "bundle": np.array(origin.bundle),
    }


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
        data["rows"] = np.concatenate([data[key] for key in ("ticks", "signals", "requested", "sent")], axis=1)
        return data
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a recording ({error})") from None


def _joined(files: Sequence[Mapping[str, np.ndarray]]) -> tuple[np.ndarray, Refused]:
    refused: Refused = {}
    begin = 0
    for file in files:
        rows = (begin + file["refused_rows"]).tolist()
        refused.update(zip(rows, file["refused_reasons"].tolist(), strict=True))
        begin += len(file["rows"])
    return np.concatenate([file["rows"] for file in files]), refused


def _origin(file: Mapping[str, np.ndarray]) -> Origin:
    contract = Contract.parse(json.loads(str(file["contract"])), "contract")
    if contract.fingerprint != str(file["fingerprint"]):
        raise ValueError("its contract does not have the fingerprint it states")
    return Origin(contract, str(file["bundle"]))
