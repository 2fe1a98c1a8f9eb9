"""Bundles in other hands: clients in JavaScript and C++ replay a golden trace from the manifest alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from export.bundle import read_bundle, write_bundle

CLIENTS = Path(__file__).parents[1] / "clients"
Command = list[str | Path]
"""What a client is called by; the folder of a bundle follows."""


class NoClient(RuntimeError):
    """A client cannot run on this machine; the message says what is absent."""


def node(folder: Path) -> Command:
    """Return the JavaScript client."""
    if shutil.which("node") is None:
        raise NoClient("Node is not installed")
    if not (CLIENTS / "node/node_modules/onnxruntime-node").exists():
        raise NoClient("onnxruntime-node is not installed: npm install --ignore-scripts, in clients/node")
    return ["node", CLIENTS / "node/golden.mjs"]


def cpp(folder: Path) -> Command:
    """Build the C++ client in `folder`, with the ONNX Runtime in ONNXRUNTIME_ROOT or the system's.

    Raises `RuntimeError` where everything is there and it does not build.
    """
    if not (shutil.which("cmake") and (shutil.which("c++") or shutil.which("g++"))):
        raise NoClient("no CMake or no C++ compiler")
    root = f"-DONNXRUNTIME_ROOT={os.environ.get('ONNXRUNTIME_ROOT', '')}"
    configure = ["cmake", "-S", str(CLIENTS / "cpp"), "-B", str(folder), root, "-DCMAKE_BUILD_TYPE=Release"]
    for command in (configure, ["cmake", "--build", str(folder)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "Could not find ONNXRUNTIME_" in done.stderr:
            raise NoClient("no ONNX Runtime headers here; set ONNXRUNTIME_ROOT to a release with include/ and lib/")
        if done.returncode != 0:
            raise RuntimeError(f"the C++ client does not build: {(done.stdout + done.stderr)[-1000:]}")
    return [folder / "golden"]


MAKERS: dict[str, Callable[[Path], Command]] = {"node": node, "cpp": cpp}


def clients(folder: Path) -> tuple[dict[str, Command], dict[str, str]]:
    """Make the clients that can run here; returns them, and why the others cannot."""
    commands, absent = {}, {}
    for name, make in MAKERS.items():
        try:
            commands[name] = make(folder / name)
        except NoClient as reason:
            absent[name] = str(reason)
    return commands, absent


def golden_errors(commands: Mapping[str, Command], bundle: Path) -> dict[str, float]:
    """Replay a bundle's golden trace in every client; returns the largest error of each.

    Raises `RuntimeError` where one fails.
    """
    checked = read_bundle(bundle)
    with tempfile.TemporaryDirectory() as name:
        unpacked = Path(name) / "bundle"
        write_bundle(unpacked, checked.manifest, checked.files)
        return {client: _error([*command, unpacked]) for client, command in commands.items()}


def _error(command: Command) -> float:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return float(json.loads(done.stdout)["max_abs_error"])
    except (ValueError, KeyError):
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-1000:]}") from None
