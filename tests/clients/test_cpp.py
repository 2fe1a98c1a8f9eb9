"""The C++ client, built and run against bundles written by Python; skipped where its tools are absent."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.clients import NoClient, cpp


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, built with the ONNX Runtime in ONNXRUNTIME_ROOT or that of the system."""
    try:
        (program,) = cpp(tmp_path_factory.mktemp("build"))
    except NoClient as absent:
        pytest.skip(str(absent))
    return Path(program)


def replay(golden: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([golden, bundle], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["trial", "episode", "none", "joints", "adapting"])
def test_the_golden_trace_is_reproduced_from_the_manifest_alone(
    golden: Path, bundles: dict[str, Path], name: str
) -> None:
    result = replay(golden, bundles[name])
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["max_abs_error"] <= 1e-6
    assert facts["steps"] >= 50


def test_another_graph_is_noticed(golden: Path, wrong: Path) -> None:
    result = replay(golden, wrong)
    assert result.returncode == 1
    assert json.loads(result.stdout)["max_abs_error"] > 0.01


def test_what_is_no_bundle_is_refused(golden: Path, tmp_path: Path) -> None:
    assert replay(golden, tmp_path).returncode == 2
