"""A log's file as named columns: CSV, NPZ, or one of our recordings (NPZ, MCAP).

A recording's columns are `time`, `NAME[i]` for element i of a signal, and `sent/JOINT` and `requested/JOINT`.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from robots.logbook.errors import LogError
from robots.recordings.as_logs import is_recording
from robots.recordings.files import read_recording
from robots.recordings.recording import Recording

Columns = dict[str, np.ndarray]


class Table(NamedTuple):
    """One file: its columns, all of one length, and the rows where its runs begin."""

    path: Path
    columns: Columns
    starts: tuple[int, ...] = (0,)


def read_table(path: str | Path, array: str = "data") -> Table:
    """Read a file of any format; raises `LogError` naming the file and, where there is one, the row."""
    path = Path(path)
    if path.suffix not in READERS:
        raise LogError(path, f"ends in '{path.suffix}'", valid=", ".join(READERS))
    if not path.is_file():
        raise LogError(path, "no such file")
    table = READERS[path.suffix](path, array)
    lengths = {len(values) for values in table.columns.values()}
    if len(lengths) != 1:
        raise LogError(path, f"columns of {len(lengths)} lengths: {sorted(lengths)}")
    return table


def _read_csv(path: Path, _: str) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2:
        raise LogError(path, f"{len(rows)} lines", valid="a line of names, then numbers")
    names = [name.strip() for name in rows[0]]
    data = np.empty((len(rows) - 1, len(names)))
    for i, row in enumerate(rows[1:]):
        if len(row) != len(names):
            raise LogError(path, f"{len(row)} cells", row=i, valid=f"{len(names)}, as in the first line")
        data[i] = [_number(path, i, name, text) for name, text in zip(names, row, strict=True)]
    return Table(path, dict(zip(names, data.T, strict=True)))


def _number(path: Path, row: int, name: str, text: str) -> float:
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        raise LogError(path, f"{name} is '{text}'", row=row, valid="a number") from None


def _read_npz(path: Path, array: str) -> Table:
    if is_recording(path):
        return _of_recording(path, read_recording(path))
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise LogError(path, f"not an .npz archive ({error})") from None
    if "columns" not in arrays:
        return Table(path, _numbers({name: values for name, values in arrays.items() if values.ndim == 1}))
    if array not in arrays:
        raise LogError(path, f"no array '{array}'", valid=", ".join(arrays))
    names, data = [str(name) for name in arrays["columns"]], arrays[array]
    if data.ndim != 2 or data.shape[1] != len(names):
        raise LogError(path, f"{array} has the shape {data.shape}", valid=f"rows × {len(names)}, as 'columns' names")
    return Table(path, _numbers(dict(zip(names, data.T, strict=True))))


def _numbers(columns: Columns) -> Columns:
    kept = {name: values for name, values in columns.items() if values.dtype.kind in "fiub"}
    return {name: np.asarray(values, dtype=np.float64) for name, values in kept.items()}


def _read_mcap(path: Path, _: str) -> Table:
    return _of_recording(path, read_recording(path))


def _of_recording(path: Path, recording: Recording) -> Table:
    columns: Columns = {"time": recording.time}
    for name, values in recording.signals.items():
        columns |= {f"{name}[{i}]": values[:, i] for i in range(values.shape[1])}
    for kind, commands in (("sent", recording.sent), ("requested", recording.requested)):
        columns |= {f"{kind}/{joint}": values for joint, values in commands.items()}
    begins = np.flatnonzero(recording.trial_start | recording.episode_start)
    return Table(path, columns, tuple(sorted({0, *begins.tolist()})))


READERS: dict[str, Callable[[Path, str], Table]] = {".csv": _read_csv, ".npz": _read_npz, ".mcap": _read_mcap}
"""Formats by file name."""
