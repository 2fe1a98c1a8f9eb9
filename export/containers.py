"""A handful of named files as a folder or a zip: read with hard caps, written whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from export.manifest import BundleError

MAX_FILES = 32
MAX_FILE_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 512 * 2**20

MANIFEST = "manifest.yaml"
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, UnicodeDecodeError)
"""What `zipfile` raises for damaged archives."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_container(path: Path) -> dict[str, bytes]:
    """Return all files of a bundle folder or zip by name; raises `BundleError` for anything but a few plain files."""
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_zip(path)
    raise BundleError(f"{path}: no such bundle; give the folder or the .zip that the export wrote")


def write_container(destination: Path, files: Mapping[str, bytes], overwrite: bool = False) -> None:
    """Write a zip where `destination` ends in .zip, else a folder; it appears complete or not at all.

    Raises `BundleError` when it exists, unless `overwrite` is given and what exists is a bundle.
    """
    _check_free(destination, overwrite)
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _workplace(destination) as work:
        fresh = work / "new"
        if destination.suffix == ".zip":
            fresh.write_bytes(zip_bytes(files))
        else:
            fresh.mkdir()
            for name, data in files.items():
                (fresh / name).write_bytes(data)
        if destination.is_dir():
            destination.rename(work / "old")
        os.replace(fresh, destination)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed zip whose bytes depend on nothing but names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()


@contextmanager
def _workplace(destination: Path) -> Iterator[Path]:
    """A scratch folder beside the destination, so that the final rename stays on one disk."""
    work = Path(tempfile.mkdtemp(dir=destination.parent, prefix=f".{destination.name}."))
    try:
        yield work
    except BaseException:
        if (work / "old").exists() and not destination.exists():
            (work / "old").rename(destination)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_free(destination: Path, overwrite: bool) -> None:
    if not (destination.exists() or destination.is_symlink()):
        return
    if not overwrite:
        raise BundleError(f"{destination}: exists already; choose another name or allow overwriting")
    if destination.is_symlink() or (destination.suffix == ".zip") != destination.is_file():
        raise BundleError(f"{destination}: not a bundle of the kind to be written; choose another name")
    if destination.is_dir() and not (destination / MANIFEST).is_file():
        raise BundleError(f"{destination}: not a bundle (no {MANIFEST}), so it is not overwritten; choose another name")


def _read_folder(folder: Path) -> dict[str, bytes]:
    entries = sorted(folder.iterdir())
    _check_count(len(entries), folder)
    for entry in entries:
        if entry.is_symlink() or not entry.is_file():
            raise BundleError(f"{folder}: {entry.name} is not a plain file; a bundle holds no links and no folders")
        _check_size(entry.stat().st_size, entry.name, folder)
    _check_total(sum(entry.stat().st_size for entry in entries), folder)
    return {entry.name: entry.read_bytes() for entry in entries}


def _read_zip(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, path)
            return {entry.filename: _read_entry(archive, entry, path) for entry in entries}
    except _ZIP_ERRORS as error:
        raise BundleError(
            f"{path}: not a complete zip file ({error}); it was cut short or damaged on the way, copy it again"
        ) from None


def _check_entries(entries: list[zipfile.ZipInfo], path: Path) -> None:
    _check_count(len(entries), path)
    names = [entry.filename for entry in entries]
    for entry in entries:
        _check_name(entry.filename, path)
        _check_kind(entry, path)
        _check_size(entry.file_size, entry.filename, path)
        if names.count(entry.filename) > 1:
            raise BundleError(f"{path}: {entry.filename} is in the zip twice; do not use this file")
    _check_total(sum(entry.file_size for entry in entries), path)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bytes:
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise BundleError(f"{path}: {entry.filename} is not as long as the zip says; do not use this file")
    return data


def _check_name(name: str, path: Path) -> None:
    plain = name not in ("", ".", "..") and not any(c in name for c in "/\\:\0") and name.isprintable()
    if not plain:
        raise BundleError(
            f"{path}: unsafe file name {name!r}; a bundle's files lie at its top level, "
            "so zip the files themselves, not their folder"
        )


def _check_kind(entry: zipfile.ZipInfo, path: Path) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"{path}: {entry.filename} is not a plain file; a bundle holds no links and no folders")
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{path}: {entry.filename} is encrypted or packed in an unusual way; zip the bundle plainly")


def _check_count(count: int, path: Path) -> None:
    if count > MAX_FILES:
        raise BundleError(f"{path}: {count} files; a bundle has at most {MAX_FILES}, so this is something else")


def _check_size(size: int, name: str, path: Path) -> None:
    if size > MAX_FILE_BYTES:
        raise BundleError(f"{path}: {name} has {size} bytes; at most {MAX_FILE_BYTES} are accepted")


def _check_total(size: int, path: Path) -> None:
    if size > MAX_TOTAL_BYTES:
        raise BundleError(f"{path}: {size} bytes in all; at most {MAX_TOTAL_BYTES} are accepted")
