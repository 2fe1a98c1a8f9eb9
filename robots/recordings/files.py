"""Recordings by file name: `.mcap` is MCAP, `.npz` is for NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from domain_rand.schema import ConfigError
from robots.recordings.mcap_file import McapWriter, read_mcap
from robots.recordings.npz_file import NpzWriter, read_npz
from robots.recordings.recording import Origin, Recording, Tick


class Writer(Protocol):
    """Keeps the ticks of one run in a file; `dropped` counts those it never got so far."""

    def add(self, tick: Tick, dropped: int) -> None: ...
    def close(self, dropped: int) -> None: ...


class Format(NamedTuple):
    """How files of one ending are written and read."""

    write: Callable[[Path, Origin], Writer]
    read: Callable[[Path], Recording]


FORMATS = {".npz": Format(NpzWriter, read_npz), ".mcap": Format(McapWriter, read_mcap)}


def create_recording(path: Path, origin: Origin) -> Writer:
    """Open a file to record into; raises `ConfigError` for an ending that is no format, or a file not to be had."""
    make = _format(path).write
    try:
        return make(path, origin)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror or error})") from None


def read_recording(path: str | Path) -> Recording:
    """Read a recording of any format; raises `ConfigError` when the file is absent or not a recording."""
    return _format(Path(path)).read(Path(path))


def _format(path: Path) -> Format:
    if path.suffix not in FORMATS:
        raise ConfigError(f"{path}: a recording ends in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix]
