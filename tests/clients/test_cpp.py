"""The C++ client, built and run against bundles written by Python; skipped where its tools are absent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "clients/cpp"

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and (shutil.which("c++") or shutil.which("g++"))), reason="no CMake or no C++ compiler"
)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, built with the ONNX Runtime in ONNXRUNTIME_ROOT or that of the system."""
    build = tmp_path_factory.mktemp("build")
    root = f"-DONNXRUNTIME_ROOT={os.environ.get('ONNXRUNTIME_ROOT', '')}"
    configure = ["cmake", "-S", CLIENT, "-B", build, root, "-DCMAKE_BUILD_TYPE=Release"]
    configured = subprocess.run(configure, capture_output=True, text=True, timeout=120)
    if "Could not find ONNXRUNTIME_" in configured.stderr:
        pytest.skip("no ONNX Runtime headers here; set ONNXRUNTIME_ROOT to a release with include/ and lib/")
    assert configured.returncode == 0, configured.stderr
    built = subprocess.run(["cmake", "--build", build], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return build / "golden"


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
