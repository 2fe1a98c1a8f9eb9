"""The bundle: what goes in comes out, one changed byte is noticed, and equal exports are equal bytes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from export.bundle import Bundle, BundleError, check_files, manifest_bytes, read_bundle, write_bundle
from export.containers import MANIFEST, zip_bytes

PARTS = ("manifest.yaml", "step.onnx", "golden.npz", "MODEL_CARD.md")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def resealed(body: bytes) -> bytes:
    return body + f"manifest_sha256: {hashlib.sha256(body).hexdigest()}\n".encode()


def body_of(folder: Path) -> bytes:
    return (folder / MANIFEST).read_bytes().rpartition(b"manifest_sha256")[0]


def with_manifest(folder: Path, manifest: bytes) -> Bundle:
    return check_files(contents(folder) | {MANIFEST: manifest}, "b")


def test_a_bundle_holds_these_files(folder: Path) -> None:
    assert set(contents(folder)) == set(PARTS)


def test_what_is_written_is_what_is_read(bundle: Bundle, tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "copy", bundle.manifest, bundle.files)
    again = read_bundle(tmp_path / "copy")
    assert again.manifest == written.manifest == bundle.manifest
    assert again.files == bundle.files


def test_zip_and_folder_hold_the_same(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "b.zip", bundle.manifest, bundle.files)
    zipped = read_bundle(tmp_path / "b.zip")
    assert (zipped.manifest, zipped.files) == (bundle.manifest, bundle.files)


@pytest.mark.parametrize("name", ["one.zip", "one"])
def test_writing_twice_gives_equal_bytes(bundle: Bundle, tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "a" / name, tmp_path / "b" / name
    for destination in (first, second):
        write_bundle(destination, bundle.manifest, bundle.files)
    if name.endswith(".zip"):
        assert first.read_bytes() == second.read_bytes()
    else:
        assert contents(first) == contents(second)


@pytest.mark.parametrize("name", PARTS)
def test_one_flipped_bit_anywhere_is_noticed(folder: Path, name: str) -> None:
    files = contents(folder)
    size = len(files[name])
    everywhere = range(size) if name == MANIFEST else {0, size - 1, *random.Random(0).sample(range(size), 20)}
    for position in everywhere:
        damaged = bytearray(files[name])
        damaged[position] ^= 1
        with pytest.raises(BundleError, match=name.replace(".", r"\.")):
            check_files(files | {name: bytes(damaged)}, "b")


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("change", [b"", b"\n"], ids=["emptied", "grown"])
def test_a_shorter_or_longer_file_is_noticed(folder: Path, name: str, change: bytes) -> None:
    files = contents(folder)
    with pytest.raises(BundleError, match=name):
        check_files(files | {name: files[name] + change if change else b""}, "b")


@pytest.mark.parametrize("name", PARTS)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    files = contents(folder)
    del files[name]
    with pytest.raises(BundleError, match=rf"{name} is missing.*export it anew"):
        check_files(files, "b")


def test_a_foreign_file_is_named(folder: Path) -> None:
    with pytest.raises(BundleError, match="adapter.onnx does not belong"):
        check_files(contents(folder) | {"adapter.onnx": b""}, "b")


@pytest.mark.parametrize(("version", "advice"), [(2, "newer.*upgrade simshift"), (0, "older.*export the policy again")])
def test_another_schema_version_is_refused_before_all_else(folder: Path, version: int, advice: str) -> None:
    unreadable = f"schema_version: {version}\n: a future format, sealed in a future way".encode()
    with pytest.raises(BundleError, match=f"schema version {version}, {advice}"):
        with_manifest(folder, unreadable)


def test_the_manifest_begins_with_its_version(folder: Path) -> None:
    with pytest.raises(BundleError, match="does not begin with its schema_version"):
        with_manifest(folder, resealed(b"# comment\n" + body_of(folder)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"algorithm: rl2", b"algorithm: *rl2", "aliases"),
        (b"algorithm: rl2", b"algorithm: [", "cannot be used"),
        (b"algorithm: rl2", b"algorithm: " + b"[" * 5000, "cannot be used"),
        (b"algorithm: rl2", b"algoritm: rl2", "did you mean 'algorithm'"),
        (b"scale:\n    - 10.0", b"scale:\n    - .nan", "finite"),
        (b"algorithm: rl2", b"algorithm: \xff", "cannot be used"),
    ],
)
def test_a_well_sealed_but_wrong_manifest_is_refused(folder: Path, old: bytes, new: bytes, message: str) -> None:
    body = body_of(folder)
    assert old in body
    with pytest.raises(BundleError, match=message):
        with_manifest(folder, resealed(body.replace(old, new)))


def test_the_seal_itself_is_sound(folder: Path) -> None:
    assert with_manifest(folder, resealed(body_of(folder))).manifest.algorithm == "rl2"


def test_provenance_that_yaml_cannot_keep_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest.model_copy(update={"provenance": {"steps": float("nan")}})
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "b", manifest, bundle.files)
    assert not list(tmp_path.iterdir())


def test_the_manifest_is_plain_yaml(bundle: Bundle) -> None:
    text = manifest_bytes(bundle.manifest).decode()
    assert text.startswith("schema_version: 1\n")
    assert "unit: N·m\n" in text


def test_nothing_damaged_in_a_zip_gets_through(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    whole, path = zip_bytes(contents(folder)), tmp_path / "b.zip"
    positions = random.Random(1).sample(range(len(whole)), 60) + list(range(len(whole) - 40, len(whole)))
    for position in positions:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = read_bundle(path)
        except BundleError:
            continue
        assert (found.manifest, found.files) == (bundle.manifest, bundle.files)
