"""What a URDF file says, read as text: links, joints, limits and meshes, before any simulator has interpreted them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain_rand.schema import ConfigError

MOVABLE = ("revolute", "continuous", "prismatic")
_INERTIA = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")


@dataclass(frozen=True)
class UrdfLink:
    """One link; `mass` [kg] and `inertia` [kg·m², ixx ixy ixz iyy iyz izz] are None where there is no `<inertial>`.

    `lateral_friction` is None where its `<contact>` states none.
    """

    name: str
    mass: float | None
    inertia: tuple[float, ...] | None
    meshes: tuple[str, ...]
    lateral_friction: float | None = None


@dataclass(frozen=True)
class UrdfJoint:
    """One joint; limits [rad or m, N·m or N, per s] are None where the file is silent."""

    name: str
    kind: str
    parent: str
    child: str
    lower: float | None = None
    upper: float | None = None
    effort: float | None = None
    velocity: float | None = None

    @property
    def limited(self) -> bool:
        """Whether the joint has a range; PyBullet takes equal or reversed ends for none."""
        return self.kind != "continuous" and (self.lower or 0.0) < (self.upper or 0.0)


@dataclass(frozen=True)
class Urdf:
    """A whole file; links and joints by name, in its order."""

    path: Path
    links: dict[str, UrdfLink]
    joints: dict[str, UrdfJoint]

    @property
    def movable(self) -> dict[str, UrdfJoint]:
        """Joints with one degree of freedom."""
        return {name: joint for name, joint in self.joints.items() if joint.kind in MOVABLE}

    @property
    def root(self) -> str:
        """Name of the link that is nobody's child."""
        children = {joint.child for joint in self.joints.values()}
        return next(name for name in self.links if name not in children)


def read_urdf(path: Path) -> Urdf:
    """Read a file; raises `ConfigError` naming the file and the element that cannot be read."""
    try:
        tree = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except ElementTree.ParseError as error:
        raise ConfigError(f"{path}: not valid XML ({error})") from None
    if tree.tag != "robot":
        raise ConfigError(f"{path}: the root element is <{tree.tag}>; a URDF's is <robot>")
    links = [_link(path, element) for element in tree.findall("link")]
    if not links:
        raise ConfigError(f"{path}: no <link> in it")
    joints = [_joint(path, element) for element in tree.findall("joint")]
    return Urdf(path, {link.name: link for link in links}, {joint.name: joint for joint in joints})


def principal_moments(inertia: Sequence[float]) -> tuple[float, float, float]:
    """Return the principal moments [kg·m²], smallest first, of (ixx, ixy, ixz, iyy, iyz, izz)."""
    xx, xy, xz, yy, yz, zz = inertia
    low, middle, high = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).tolist()
    return low, middle, high


def inertia_fault(moments: Sequence[float], tolerance: float = 1e-3) -> str | None:
    """Say why no rigid body has these principal moments, smallest first; None when one may.

    None of them is negative, and none exceeds the sum of the other two (but for rounding, relative to the largest).
    """
    low, middle, high = moments
    if low <= 0.0:
        return f"principal moment {low:.3g} kg·m² is not positive"
    if low + middle < high * (1.0 - tolerance):
        return f"principal moments {low:.3g} + {middle:.3g} < {high:.3g} kg·m² break the triangle inequality"
    return None


def find_mesh(urdf: Path, name: str) -> Path | None:
    """Return the file that PyBullet finds for a mesh name: below the URDF's folder or any of its parents."""
    for prefix in ("package://", "model://", "file://"):
        name = name.removeprefix(prefix)
    places = [*urdf.resolve().parents, Path.cwd()]
    return next((place / name for place in places if (place / name).is_file()), None)


def _link(path: Path, element: ElementTree.Element) -> UrdfLink:
    name = element.get("name", "")
    meshes = [mesh.get("filename", "") for mesh in element.iter("mesh")]
    inertial, where = element.find("inertial"), f"{path}: link {name}"
    friction = _number(where, element.find("contact/lateral_friction"), "value")
    if inertial is None:
        return UrdfLink(name, None, None, tuple(meshes), friction)
    mass = _number(where, inertial.find("mass"), "value")
    tensor = inertial.find("inertia")
    inertia = None if tensor is None else tuple(_number(where, tensor, key) or 0.0 for key in _INERTIA)
    return UrdfLink(name, mass, inertia, tuple(meshes), friction)


def _joint(path: Path, element: ElementTree.Element) -> UrdfJoint:
    name, kind = element.get("name", ""), element.get("type", "")
    where = f"{path}: joint {name}"
    ends = [found.get("link", "") for key in ("parent", "child") if (found := element.find(key)) is not None]
    if len(ends) != 2:
        raise ConfigError(f"{where}: <parent> or <child> is missing")
    limit = element.find("limit")
    numbers = {key: _number(where, limit, key) for key in ("lower", "upper", "effort", "velocity")}
    return UrdfJoint(name, kind, parent=ends[0], child=ends[1], **numbers)


def _number(where: str, element: ElementTree.Element | None, key: str) -> float | None:
    text = None if element is None else element.get(key)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{where}: {key} is '{text}', not a number") from None
