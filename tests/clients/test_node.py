"""The Node client against bundles written by Python; skipped where it is not installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.clients import NoClient, node
from export.bundle import sign_bundle
from export.signing import make_keys


@pytest.fixture(autouse=True, scope="session")
def _client() -> None:
    try:
        node(Path())
    except NoClient as absent:
        pytest.skip(str(absent))


def golden(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [*node(Path()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["trial", "episode", "none", "joints", "adapting"])
def test_the_golden_trace_is_reproduced_from_the_manifest_alone(bundles: dict[str, Path], name: str) -> None:
    result = golden(bundles[name])
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["max_abs_error"] <= 1e-6
    assert facts["steps"] >= 50


def test_another_graph_is_noticed(wrong: Path) -> None:
    result = golden(wrong)
    assert result.returncode == 1
    assert json.loads(result.stdout)["max_abs_error"] > 0.01


@pytest.mark.parametrize("name", ["manifest.yaml", "step.onnx", "golden.npz"])
def test_a_changed_byte_is_noticed(bundles: dict[str, Path], tmp_path: Path, name: str) -> None:
    shutil.copytree(bundles["trial"], tmp_path / "b")
    data = bytearray((tmp_path / "b" / name).read_bytes())
    data[100] ^= 1
    (tmp_path / "b" / name).write_bytes(data)
    result = golden(tmp_path / "b")
    assert (result.returncode, result.stdout) == (1, "")
    assert name in result.stderr


def test_the_signature_is_checked_without_python(bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["trial"], tmp_path / "b")
    right, other = (make_keys(tmp_path / name)[0] for name in ("right.key", "other.key"))
    assert golden(tmp_path / "b", right).returncode != 0
    sign_bundle(tmp_path / "b", tmp_path / "right.key")
    assert golden(tmp_path / "b", right).returncode == 0
    refused = golden(tmp_path / "b", other)
    assert (refused.returncode, "not signed by this key" in refused.stderr) == (1, True)
