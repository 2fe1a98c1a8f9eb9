"""Write a drafted robot: its own copy of URDF and meshes beside the two YAML files."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

from domain_rand.schema import ConfigError
from robots.drafting.design import Base, design
from robots.drafting.text import randomization_yaml, robot_yaml
from robots.spec import robot_names
from robots.urdf import Urdf, find_mesh, read_urdf

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_robot(name: str, urdf: Path, to: Path, base: Base = "auto") -> Path:
    """Write the folder `to/name` and return it; raises `ConfigError` for a name in use or a file that is no robot."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"robot name '{name}': lower case letters, digits and _, starting with a letter")
    folder = to / name
    if name in robot_names() or folder.exists():
        raise ConfigError(f"there is a robot or folder '{name}' already; choose another name or --to")
    read = read_urdf(urdf)
    plan = design(read, base)
    folder.mkdir(parents=True)
    file = _stock(urdf) or _copy(read, folder)
    (folder / "robot.yaml").write_text(robot_yaml(name, file, plan), encoding="utf-8")
    (folder / "randomization.yaml").write_text(randomization_yaml(plan), encoding="utf-8")
    return folder


def _stock(urdf: Path) -> str | None:
    """How a model file refers to a URDF that comes with PyBullet; None for any other."""
    found = importlib.util.find_spec("pybullet_data")
    root = Path(found.origin).parent if found and found.origin else None
    inside = root is not None and urdf.resolve().is_relative_to(root)
    return f"pybullet_data:{urdf.resolve().relative_to(root)}" if root and inside else None


def _copy(urdf: Urdf, folder: Path) -> str:
    """Copy the URDF and every mesh that is found, which it then names `meshes/<file>`; returns the URDF's new name."""
    text = urdf.path.read_text(encoding="utf-8")
    taken: dict[str, str] = {}
    for mesh in {mesh: None for link in urdf.links.values() for mesh in link.meshes}:
        source = find_mesh(urdf.path, mesh)
        if source is None:
            continue
        copy = _free_name(source, taken)
        (folder / "meshes").mkdir(exist_ok=True)
        shutil.copyfile(source, folder / "meshes" / copy)
        for quote in "\"'":
            text = text.replace(f"{quote}{mesh}{quote}", f"{quote}meshes/{copy}{quote}")
    (folder / urdf.path.name).write_text(text, encoding="utf-8")
    return urdf.path.name


def _free_name(source: Path, taken: dict[str, str]) -> str:
    """The file's own name, numbered when another file has it already."""
    name = source.name
    for number in range(2, len(taken) + 3):
        if taken.setdefault(name, str(source)) == str(source):
            break
        name = f"{source.stem}_{number}{source.suffix}"
    return name
