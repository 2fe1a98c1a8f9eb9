"""The base package in a fresh virtual environment: how large it is, what it imports, and that it drives a robot."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from sdk.results import Row, at_most, measured
from sdk.through_twin import HeldOut, drive

ROOT = Path(__file__).parents[1]
NOT_INSTALLED = shutil.ignore_patterns(".*", "runs", "build", "dist", "*.egg-info", "node_modules", "__pycache__")
HEAVY = {
    *("torch", "pybullet", "gymnasium", "onnx", "onnxscript"),
    *("tensorboard", "matplotlib", "ray", "sbi", "stable_baselines3"),
}
RUNTIME = """
import importlib, json, pathlib
for path in sorted(pathlib.Path("export/runtime").glob("[a-z]*.py")):
    importlib.import_module(f"export.runtime.{path.stem}")
from export.runtime.report import loaded_modules
print(json.dumps(loaded_modules()))
"""


def install_rows(bundle: Path) -> list[Row]:
    """Install, drive one world of the twin with `bundle`, and count what heavy came along; raises `RuntimeError`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = install(folder)
        size = size_mb(folder / "venv")
        report = run_there(folder, bundle)
    modules = report["robot_side_modules"]
    return [
        measured("install/seconds", seconds, "s, virtual environment and pip install"),
        measured("install/size", size, "MB, the whole virtual environment", packages=len(modules)),
        at_most("install/refused", report["refused_readings"] + report["refused_commands"], "ticks", 0),
        measured("install/ticks", report["ticks"], "ticks of the bundle over UDP, in that environment"),
        at_most("install/heavy_modules", len(heavy(modules)), f"of {len(modules)} packages loaded there", 0),
        at_most("import/heavy_modules", len(heavy(runtime_modules())), "loaded by export.runtime beside torch", 0),
    ]


def install(folder: Path) -> float:
    """Make `folder/venv` with the base package, as `pip install .` does; returns the time [s]."""
    shutil.copytree(ROOT, folder / "source", ignore=NOT_INSTALLED)
    start = time.monotonic()
    venv.create(folder / "venv", with_pip=True)
    constraints = folder / "source/constraints.txt"
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "-c", constraints, folder / "source"]
    _output(pip, folder)
    return time.monotonic() - start


def run_there(folder: Path, bundle: Path) -> dict[str, Any]:
    """Drive one world of a twin that runs here with the `simshift` in `folder/venv`; returns its report."""
    isolated = (str(folder / "venv/bin/python"), "-I", "-m", "sdk.cli")
    return drive(bundle, HeldOut("servo_arm", 1, 0), simshift=isolated).report


def runtime_modules() -> list[str]:
    """Return the packages that importing all of `export.runtime` loads here, where everything is installed."""
    return list(json.loads(_output([sys.executable, "-c", RUNTIME], ROOT)))


def heavy(modules: list[str]) -> set[str]:
    """Return which of these packages have no place on a robot."""
    return HEAVY & set(modules)


def size_mb(folder: Path) -> float:
    """Return the size of all files below a folder [MB]."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 2**20


def _output(command: list[Any], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {(done.stderr + done.stdout)[-1000:]}")
    return done.stdout
