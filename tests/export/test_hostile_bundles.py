"""Arbitrary and mutated bytes: a bundle is read whole or refused with a `BundleError`; nothing else happens."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from export.bundle import GOLDEN, MAX_MANIFEST_BYTES, Bundle, BundleError, check_files, read_bundle
from export.containers import MANIFEST, MAX_FILES, read_zip, write_container, zip_bytes
from export.onnx_reader import read_onnx
from export.verify import read_golden

MUTATIONS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6)), min_size=1, max_size=5)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def mutated(data: bytes, changes: list[tuple[float, bytes]]) -> bytes:
    """Overwrite at relative places; an empty piece cuts the rest off."""
    for where, piece in changes:
        place = int(where * len(data))
        data = data[:place] + piece + data[place + len(piece) :] if piece else data[:place]
    return data


def read_or_refused(data: bytes) -> dict[str, bytes] | None:
    try:
        return read_zip(io.BytesIO(data), "b.zip")
    except BundleError:
        return None


@given(st.binary(max_size=400))
@example(b"")
@example(b"PK\5\6" + bytes(18))
@example(b"PK\5\6" + b"\xff" * 16 + b"\0\0")
@example(b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18))
@SETTINGS
def test_arbitrary_bytes_are_no_zip(data: bytes) -> None:
    found = read_or_refused(data)
    assert found is None or isinstance(found, dict)


SMALL = zip_bytes({MANIFEST: b"schema_version: 1\n", "step.onnx": b"graph" * 20})


@given(MUTATIONS)
@SETTINGS
def test_a_mutated_zip_gives_plain_names_or_nothing(changes: list[tuple[float, bytes]]) -> None:
    found = read_or_refused(mutated(SMALL, changes))
    assert not found or all("/" not in name and "\\" not in name and name not in ("", ".", "..") for name in found)


@given(MUTATIONS)
@settings(SETTINGS, max_examples=60)
def test_a_mutated_bundle_is_the_exported_one_or_refused(
    folder: Path, bundle: Bundle, changes: list[tuple[float, bytes]]
) -> None:
    whole = zip_bytes({path.name: path.read_bytes() for path in folder.iterdir()})
    try:
        files = read_zip(io.BytesIO(mutated(whole, changes)), "b.zip")
        found = check_files(files, "b.zip")
    except BundleError:
        return
    assert (found.manifest, found.files) == (bundle.manifest, bundle.files)


def sealed(body: bytes) -> bytes:
    return body + f"manifest_sha256: {hashlib.sha256(body).hexdigest()}\n".encode()


def body_of(folder: Path) -> bytes:
    return (folder / MANIFEST).read_bytes().rpartition(b"manifest_sha256")[0]


def with_manifest(folder: Path, manifest: bytes) -> Bundle | None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    try:
        return check_files(files | {MANIFEST: manifest}, "b")
    except BundleError:
        return None


@given(st.binary(max_size=200), st.booleans())
@SETTINGS
def test_any_well_sealed_bytes_are_a_manifest_or_refused(folder: Path, data: bytes, versioned: bool) -> None:
    assert with_manifest(folder, sealed(b"schema_version: 1\n" * versioned + data)) is None


@given(st.text(alphabet="abc:-[]{}!&*|>'\"%@`#,?0123456789.eE+_ \n\t~<=", max_size=60))
@example("created: 2026-99-99")
@example("created: !!timestamp x")
@example("seeds: !!int ''")
@example("a: !!bool x")
@example("? [a]\n: b")
@example("? {a: b}\n: c")
@example("seeds: [" + "9" * 5000 + "]")
@example("a: 1\na: 2")
@example("a: !!binary x")
@example("a: !!python/object/apply:os.system [ls]")
@example("<<: 1")
@example("a: 9:" * 30)
@settings(SETTINGS, max_examples=30)
def test_any_yaml_after_a_true_manifest_is_refused(folder: Path, text: str) -> None:
    found = with_manifest(folder, sealed(body_of(folder) + text.encode() + b"\n"))
    assert found is None or found.manifest.algorithm == "rl2"


@given(MUTATIONS)
@settings(SETTINGS, max_examples=40)
def test_a_mutated_but_resealed_manifest_never_crashes(folder: Path, changes: list[tuple[float, bytes]]) -> None:
    with_manifest(folder, sealed(mutated(body_of(folder), changes)))


def test_a_key_written_twice_is_refused(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    doubled = sealed(body_of(folder) + b"task: another\n")
    with pytest.raises(BundleError, match="duplicate key 'task'"):
        check_files(files | {MANIFEST: doubled}, "b")


def test_a_huge_manifest_is_refused_before_it_is_parsed(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(BundleError, match=f"at most {MAX_MANIFEST_BYTES} are read"):
        check_files(files | {MANIFEST: sealed(b"schema_version: 1\n" + b"[" * MAX_MANIFEST_BYTES)}, "b")


def test_memory_larger_than_a_robot_is_refused(folder: Path) -> None:
    body = body_of(folder)
    for line in (b"  shape:\n  - 16\n", b"  - 16\n"):
        assert line in body
    huge = body.replace(b"  - 16\n", b"  - 16000000000\n")
    assert with_manifest(folder, sealed(huge)) is None


def packed(path: Path, sizes: list[int], names: str = "f{}") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, size in enumerate(sizes):
            archive.writestr(names.format(i), bytes(size))
    return path


def test_a_file_that_unpacks_a_thousandfold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"f0 unpacks \d+ bytes to 20000000; do not use"):
        read_bundle(packed(tmp_path / "b.zip", [20_000_000]))


def test_a_huge_table_of_contents_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"far too many files; at most {MAX_FILES} are accepted"):
        read_bundle(packed(tmp_path / "b.zip", [0] * 2000))


def test_names_that_differ_by_case_alone_are_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("step.onnx", b"1")
        archive.writestr("Step.onnx", b"2")
    with pytest.raises(BundleError, match="twice"):
        read_bundle(tmp_path / "b.zip")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "b.zip", [10])
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match="f0 is encrypted"):
        read_bundle(path)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", ".."])
@pytest.mark.parametrize("destination", ["bundle", "bundle.zip"])
def test_nothing_is_written_outside_the_bundle(tmp_path: Path, name: str, destination: str) -> None:
    with pytest.raises(BundleError, match="unsafe file name"):
        write_container(tmp_path / "in" / destination, {name: b"x"})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def golden_or_refused(bundle: Bundle, data: bytes) -> dict[str, np.ndarray] | None:
    try:
        return read_golden(Bundle(bundle.manifest, {**bundle.files, GOLDEN: data}))
    except BundleError:
        return None


@given(MUTATIONS)
@settings(SETTINGS, max_examples=60)
def test_a_mutated_golden_trace_never_crashes(bundle: Bundle, changes: list[tuple[float, bytes]]) -> None:
    golden_or_refused(bundle, mutated(bundle.files[GOLDEN], changes))


def test_a_golden_trace_of_scalars_is_refused(bundle: Bundle) -> None:
    names = [spec.name for spec in (*bundle.manifest.inputs, *bundle.manifest.outputs)]
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.float32(0) for name in names})
    assert golden_or_refused(bundle, buffer.getvalue()) is None


@given(MUTATIONS)
@SETTINGS
def test_a_mutated_graph_is_read_or_refused(bundle: Bundle, changes: list[tuple[float, bytes]]) -> None:
    try:
        read_onnx(mutated(bundle.files["step.onnx"], changes))
    except BundleError:
        return


@given(st.binary(max_size=100))
@SETTINGS
def test_arbitrary_bytes_are_no_graph(data: bytes) -> None:
    with pytest.raises(BundleError, match="no ONNX file"):
        read_onnx(data)
