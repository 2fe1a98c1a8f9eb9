"""A URDF rewritten for MuJoCo, so that it says there what it says to PyBullet.

MuJoCo's importer looks for meshes elsewhere, guesses other masses where none are stated, takes a link called "world"
for its own, and turns joint damping and efforts into forces that belong to the drives here. Fixed links stay links.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from domain_rand.schema import ConfigError
from robots.urdf import Urdf, find_mesh

LINK = "link "
"""Before a link's name."""

UNSTATED = {"ixx": "1", "ixy": "0", "ixz": "0", "iyy": "1", "iyz": "0", "izz": "1"}
"""Inertia [kg·m²] of a link whose file states none, and whose mass is 1 kg then: PyBullet's."""


def rewritten(urdf: Urdf) -> str:
    """Return the text of a URDF as MuJoCo is to read it; raises `ConfigError` for a mesh that is not there."""
    robot = ElementTree.parse(urdf.path).getroot()
    for origin in robot.iter("origin"):
        _spell_out(origin)
    for link in robot.findall("link"):
        _rewrite_link(link, urdf)
    for joint in robot.findall("joint"):
        _rewrite_joint(joint, urdf)
    options = {"fusestatic": "false", "strippath": "false", "discardvisual": "false", "balanceinertia": "false"}
    ElementTree.SubElement(ElementTree.SubElement(robot, "mujoco"), "compiler", options)
    return ElementTree.tostring(robot, encoding="unicode")


def _spell_out(origin: ElementTree.Element) -> None:
    """Write out the numbers of an origin as PyBullet reads them: three words, 0 for one that is no number.

    A macro that was never filled in, `$(optenv NAME x y z)`, thus is (0, 0, x) there.
    """
    for name, text in origin.attrib.items():
        origin.set(name, " ".join(str(_number(word)) for word in text.split()[:3]))


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0


def _rewrite_link(link: ElementTree.Element, urdf: Urdf) -> None:
    _drop(link, "visual")
    for mesh in link.iter("mesh"):
        mesh.set("filename", str(_mesh(urdf.path, mesh.get("filename", ""))))
    if link.find("inertial") is None:
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="1")
        ElementTree.SubElement(inertial, "inertia", UNSTATED)
    link.set("name", LINK + link.get("name", ""))


def _rewrite_joint(joint: ElementTree.Element, urdf: Urdf) -> None:
    _drop(joint, "dynamics")
    found = urdf.movable.get(joint.get("name", ""))
    if found is not None and not found.limited:
        _drop(joint, "limit")
        if found.kind == "revolute":
            joint.set("type", "continuous")
    for end in (*joint.findall("parent"), *joint.findall("child")):
        end.set("link", LINK + end.get("link", ""))
    for limit in joint.findall("limit"):
        limit.attrib.pop("effort", None)


def _drop(element: ElementTree.Element, tag: str) -> None:
    for child in element.findall(tag):
        element.remove(child)


def _mesh(urdf: Path, name: str) -> Path:
    found = find_mesh(urdf, name)
    if found is None:
        raise ConfigError(f"{urdf}: mesh '{name}' does not exist; add the file or mend its path")
    return found
