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
from typing import BinaryIO

from export.manifest import BundleError

MAX_FILES = 32
MAX_FILE_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 512 * 2**20
MAX_RATIO, PACKED_ANYHOW = 100, 2**20
"""A file longer than `PACKED_ANYHOW` bytes that unpacks to more than so many times its size in the zip is a bomb."""
MAX_DIRECTORY_BYTES = 64 * 2**10
"""Of a zip's table of contents, which `zipfile` reads whole before anything can be counted."""

MANIFEST = "manifest.yaml"
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What `zipfile` raises for damaged archives."""

_END, _END64 = b"PK\5\6", b"PK\6\7"
_END_SIZE, _END64_SIZE, _MAX_COMMENT = 22, 20, 2**16 - 1

Where = Path | str
"""What an error names as the place where it was found."""

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
    for name in files:
        _check_name(name, destination)
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
    _check_count(len(entries), folder, MAX_FILES)
    for entry in entries:
        if entry.is_symlink() or not entry.is_file():
            raise BundleError(f"{folder}: {entry.name} is not a plain file; a bundle holds no links and no folders")
        _check_size(entry.stat().st_size, entry.name, folder)
    _check_total(sum(entry.stat().st_size for entry in entries), folder)
    return {entry.name: entry.read_bytes() for entry in entries}


def _read_zip(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        return read_zip(file, str(path), MAX_FILES)


def read_zip(file: BinaryIO, source: str, max_files: int = MAX_FILES) -> dict[str, bytes]:
    """Return all files of a zip by name; raises `BundleError` for anything but a few plain files at its top level."""
    try:
        _check_directory(file, source, max_files)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_count(len(entries), source, max_files)
            _check_entries(entries, source)
            return {entry.filename: _read_entry(archive, entry, source) for entry in entries}
    except BundleError:
        raise
    except _ZIP_ERRORS as error:
        raise BundleError(
            f"{source}: not a complete zip file ({error}); it was cut short or damaged on the way, copy it again"
        ) from None


def _check_directory(file: BinaryIO, source: str, max_files: int) -> None:
    """Refuse a huge table of contents, looking for its end where `zipfile` does: last of all, or before a comment."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_SIZE - _END64_SIZE - _MAX_COMMENT))
    tail = file.read()
    file.seek(0)
    last = len(tail) - _END_SIZE
    end = last if tail[last:].startswith(_END) and tail.endswith(b"\0\0") else tail.rfind(_END)
    if end < 0 or len(tail) < end + _END_SIZE:
        raise zipfile.BadZipFile("its end is missing")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    large = tail[max(0, end - _END64_SIZE) : end].startswith(_END64)
    if large or directory > MAX_DIRECTORY_BYTES:
        raise BundleError(f"{source}: a zip with far too many files; at most {max_files} are accepted")


def _check_entries(entries: list[zipfile.ZipInfo], path: Where) -> None:
    names = [entry.filename.lower() for entry in entries]
    for entry in entries:
        _check_name(entry.filename, path)
        _check_kind(entry, path)
        _check_size(entry.file_size, entry.filename, path)
        _check_ratio(entry, path)
        if names.count(entry.filename.lower()) > 1:
            raise BundleError(f"{path}: {entry.filename} is in the zip twice; do not use this file")
    _check_total(sum(entry.file_size for entry in entries), path)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Where) -> bytes:
    with archive.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise BundleError(f"{path}: {entry.filename} is not as long as the zip says; do not use this file")
    return data


def _check_name(name: str, path: Where) -> None:
    plain = name not in ("", ".", "..") and not any(c in name for c in "/\\:\0") and name.isprintable()
    if not plain:
        raise BundleError(
            f"{path}: unsafe file name {name!r}; a bundle's files lie at its top level, "
            "so zip the files themselves, not their folder"
        )


def _check_kind(entry: zipfile.ZipInfo, path: Where) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"{path}: {entry.filename} is not a plain file; a bundle holds no links and no folders")
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{path}: {entry.filename} is encrypted or packed in an unusual way; zip the bundle plainly")


def _check_ratio(entry: zipfile.ZipInfo, path: Where) -> None:
    if entry.file_size > max(PACKED_ANYHOW, MAX_RATIO * entry.compress_size):
        raise BundleError(
            f"{path}: {entry.filename} unpacks {entry.compress_size} bytes to {entry.file_size}; do not use this file"
        )


def _check_count(count: int, path: Where, most: int) -> None:
    if count > most:
        raise BundleError(f"{path}: {count} files; at most {most} are accepted, so this is something else")


def _check_size(size: int, name: str, path: Where) -> None:
    if size > MAX_FILE_BYTES:
        raise BundleError(f"{path}: {name} has {size} bytes; at most {MAX_FILE_BYTES} are accepted")


def _check_total(size: int, path: Where) -> None:
    if size > MAX_TOTAL_BYTES:
        raise BundleError(f"{path}: {size} bytes in all; at most {MAX_TOTAL_BYTES} are accepted")
