"""The architecture, enforced: one direction of imports, one folder an engine, a light base install, readable sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("domain_rand", "robots", "export", "sdk")
"""In the order of the layers: a room may import itself and those before it."""

HEAVY = (
    "torch",
    "pybullet",
    "mujoco",
    "gymnasium",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "tensorboard",
    "matplotlib",
    "ray",
    "sbi",
)
BASE_MODULES = ("robots.contract", "robots.safety", "robots.signals", "domain_rand.randomizer", "export.runtime")

FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TREES = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Top-level package and line of every import, also of those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0], node.lineno


def against_the_layers(room: str, tree: ast.AST) -> list[str]:
    above = ROOMS[ROOMS.index(room) + 1 :]
    return [f"line {line}: {room} imports {name}" for name, line in imports(tree) if name in above]


def test_imports_point_one_way() -> None:
    found = [f"{path}, {text}" for path, tree in TREES.items() for text in against_the_layers(path.parts[0], tree)]
    assert not found


@pytest.mark.parametrize(
    "source", ["import sdk.train", "def f():\n    from export.bundle import load", "from sdk import cli"]
)
def test_the_layer_check_sees_an_import_upwards(source: str) -> None:
    assert len(against_the_layers("robots", ast.parse(source))) == 1


def test_no_relative_imports_hide_a_direction() -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


@pytest.mark.parametrize(("engine", "folder"), [("pybullet", "robots/bullet"), ("mujoco", "robots/mujoco")])
def test_only_one_folder_imports_an_engine(engine: str, folder: str) -> None:
    assert {str(path.parent) for path, tree in TREES.items() if engine in dict(imports(tree))} == {folder}


@pytest.mark.parametrize("path", [path for path in TREES if path.name == "__init__.py"], ids=str)
def test_package_files_import_nothing_heavy(path: Path) -> None:
    ours_or_heavy = {name for name, _ in imports(TREES[path])} & {*HEAVY, "numpy", "pydantic", "yaml", "pandas"}
    assert not ours_or_heavy


@pytest.mark.parametrize("path", TREES, ids=str)
def test_sizes_stay_readable(path: Path) -> None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= 350, f"{path} has {lines} lines"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 50, f"{path}:{node.lineno} {node.name} has {length} lines"


def without(blocked: tuple[str, ...], program: str) -> subprocess.CompletedProcess[str]:
    """Run `program` in a fresh interpreter in which the `blocked` packages cannot be imported."""
    block = f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
    return subprocess.run([sys.executable, "-c", block + program], cwd=ROOT, capture_output=True, text=True, timeout=60)


ABSENT_ON_THE_ROBOT = tuple(name for name in HEAVY if name != "onnxruntime")


def test_the_base_install_imports_what_a_robot_needs() -> None:
    modules = [*BASE_MODULES, *(f"export.runtime.{path.stem}" for path in (ROOT / "export/runtime").glob("[a-z]*.py"))]
    result = without(ABSENT_ON_THE_ROBOT, "".join(f"import {module}\n" for module in modules))
    assert result.returncode == 0, result.stderr


def test_the_import_block_works() -> None:
    result = without(ABSENT_ON_THE_ROBOT, "import robots.bullet.world")
    assert "ModuleNotFoundError" in result.stderr


def test_each_engine_runs_without_the_other() -> None:
    pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")
    program = "from robots.robot_env import RobotEnv\nRobotEnv('servo_arm', engine='{}').reset(seed=0)"
    for engine, other in (("pybullet", "mujoco"), ("mujoco", "pybullet")):
        result = without((other, "torch"), program.format(engine))
        assert result.returncode == 0, result.stderr


def test_robots_are_registered_without_pybullet() -> None:
    program = "import gymnasium, robots.registration\nassert 'simshift/servo_arm-v0' in gymnasium.registry"
    result = without(("pybullet", "torch"), program)
    assert result.returncode == 0, result.stderr
