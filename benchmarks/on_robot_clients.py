"""The same bundle in other hands: clients in JavaScript and C++ against its golden trace, and a second export."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from export.bundle import read_bundle, write_bundle
from sdk.results import Row, at_least, at_most, measured
from sdk.ship import export_run

CLIENTS = Path(__file__).parents[1] / "clients"
BAR = 1e-6


class NoClient(RuntimeError):
    """A client cannot run on this machine; the message says what is absent."""


def client_rows(bundle: Path) -> list[Row]:
    """Replay the golden trace in each client; one that cannot run here is a row that says why."""
    checked = read_bundle(bundle)
    with tempfile.TemporaryDirectory() as name:
        unpacked = Path(name) / "bundle"
        write_bundle(unpacked, checked.manifest, checked.files)
        return [_row(client, replay, unpacked, Path(name)) for client, replay in REPLAYS.items()]


def export_row(run: Path) -> Row:
    """Export a run twice and compare the bytes."""
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{k}.zip" for k in range(2)]
        for path in paths:
            export_run(run, path)
        first, second = (path.read_bytes() for path in paths)
    return at_least(
        "export/byte_identical", first == second, "1: two exports of one run are equal", 1, bytes=len(first)
    )


def node(bundle: Path, folder: Path) -> float:
    """Return the largest error of the JavaScript client."""
    if shutil.which("node") is None:
        raise NoClient("Node is not installed")
    if not (CLIENTS / "node/node_modules/onnxruntime-node").exists():
        raise NoClient("npm install --ignore-scripts was not run in clients/node")
    return _error(["node", CLIENTS / "node/golden.mjs", bundle])


def cpp(bundle: Path, folder: Path) -> float:
    """Build the C++ client with the ONNX Runtime in ONNXRUNTIME_ROOT or the system's; return its largest error."""
    if shutil.which("cmake") is None:
        raise NoClient("CMake is not installed")
    build, root = folder / "build", f"-DONNXRUNTIME_ROOT={os.environ.get('ONNXRUNTIME_ROOT', '')}"
    configure = ["cmake", "-S", str(CLIENTS / "cpp"), "-B", str(build), root, "-DCMAKE_BUILD_TYPE=Release"]
    for command in (configure, ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Could not find ONNXRUNTIME_" in done.stderr:
            raise NoClient("no ONNX Runtime headers here, set ONNXRUNTIME_ROOT")
        if done.returncode != 0:
            raise NoClient(f"it does not build: {done.stderr.strip().splitlines()[-1:]}")
    return _error([build / "golden", bundle])


Replay = Callable[[Path, Path], float]
REPLAYS: dict[str, Replay] = {"node": node, "cpp": cpp}


def _row(client: str, replay: Replay, bundle: Path, folder: Path) -> Row:
    try:
        return at_most(f"client/{client}/max_abs_error", replay(bundle, folder), "from the golden trace", BAR)
    except NoClient as absent:
        print(f"client {client}: skipped, {absent}", file=sys.stderr)
        return measured(f"client/{client}/skipped", 1, str(absent))


def _error(command: list[str | Path]) -> float:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return float(json.loads(done.stdout)["max_abs_error"])
    except (ValueError, KeyError):
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-1000:]}") from None
