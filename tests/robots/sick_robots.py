"""Robots with one thing wrong: the servo arm's folder, copied and spoiled."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from robots.doctor.examine import examine
from robots.doctor.report import Check, Finding
from robots.spec import ROBOTS

CONTRACT, MODEL, WORLDS = "robot.yaml", "servo_arm.urdf", "randomization.yaml"


def spoiled(folder: Path, file: str = "", old: str = "", new: str = "") -> str:
    """Copy the arm to `folder/servo_arm`, replace `old` by `new` in one file; returns the path."""
    robot = folder / "servo_arm"
    shutil.copytree(ROBOTS / "servo_arm", robot)
    if file:
        text = (robot / file).read_text(encoding="utf-8")
        assert old in text
        (robot / file).write_text(text.replace(old, new), encoding="utf-8")
    return str(robot)


def checks(robot: str) -> dict[str, Check]:
    return {check.name: check for check in examine(robot).checks}


def found(robot: str, check: str, wrong: bool = True) -> list[Finding]:
    """What one check finds wrong, or finds worth a look."""
    return [finding for finding in checks(robot)[check].findings if finding.wrong == wrong]


def stock(path: str) -> Path:
    """A file that comes with PyBullet."""
    spec = importlib.util.find_spec("pybullet_data")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / path
