"""Folders and zips: only a few plain files at the top level, whole or not at all."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from export import containers
from export.containers import read_container, write_container
from export.manifest import BundleError

FILES = {"manifest.yaml": b"m", "step.onnx": b"graph" * 100}


def zipped(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_files_come_back(tmp_path: Path, name: str) -> None:
    write_container(tmp_path / "deep" / name, FILES)
    assert read_container(tmp_path / "deep" / name) == FILES
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [name]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/b", "..\\evil", "C:evil", "..", "folder/", "a\nb"], ids=repr
)
def test_a_zip_cannot_name_another_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match=r"unsafe file name.*top level"):
        read_container(zipped(tmp_path / "b.zip", (name, b"x")))


def test_a_zip_cannot_hold_a_link(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("step.onnx")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BundleError, match="step.onnx is not a plain file"):
        read_container(zipped(tmp_path / "b.zip", (entry, b"/etc/passwd")))


def test_a_folder_cannot_hold_a_link(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "step.onnx").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match="step.onnx is not a plain file"):
        read_container(tmp_path / "b")


def test_a_folder_cannot_hold_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b" / "inner").mkdir(parents=True)
    with pytest.raises(BundleError, match="inner is not a plain file"):
        read_container(tmp_path / "b")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="twice"):
        read_container(zipped(tmp_path / "b.zip", ("a", b"1"), ("a", b"2")))


@pytest.mark.parametrize(
    ("cap", "value", "message"),
    [("MAX_FILES", 1, "2 files"), ("MAX_FILE_BYTES", 499, "step.onnx has 500"), ("MAX_TOTAL_BYTES", 500, "501 bytes")],
)
@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_sizes_are_capped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, cap: str, value: int, message: str
) -> None:
    write_container(tmp_path / name, FILES)
    monkeypatch.setattr(containers, cap, value)
    with pytest.raises(BundleError, match=message):
        read_container(tmp_path / name)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10**6))
    true_size, lie = (10**6).to_bytes(4, "little"), (100).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true_size, lie))
    with pytest.raises(BundleError, match="not a complete zip|not as long"):
        read_container(path)


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    write_container(path, FILES)
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError, match=r"b\.zip: not a complete zip file.*copy it again"):
            read_container(path)


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere: no such bundle"):
        read_container(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_an_existing_bundle_stays_unless_told(tmp_path: Path, name: str) -> None:
    write_container(tmp_path / name, FILES)
    with pytest.raises(BundleError, match="exists already"):
        write_container(tmp_path / name, {"manifest.yaml": b"new"})
    assert read_container(tmp_path / name) == FILES
    write_container(tmp_path / name, {"manifest.yaml": b"new"}, overwrite=True)
    assert read_container(tmp_path / name) == {"manifest.yaml": b"new"}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_overwriting_spares_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not a bundle"):
        write_container(tmp_path / "thesis", FILES, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").exists()


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_failure_half_way_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_container(tmp_path / name, FILES)

    def full_disk(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(containers.os, "replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_container(tmp_path / name, {"manifest.yaml": b"new"}, overwrite=True)
    assert read_container(tmp_path / name) == FILES
    assert [path.name for path in tmp_path.iterdir()] == [name]
