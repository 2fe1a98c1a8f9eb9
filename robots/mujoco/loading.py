"""Load URDFs into one compiled MuJoCo model: links and joints by name, and nothing left to MuJoCo's defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from domain_rand.schema import ConfigError, nearest
from robots.model import Model, model_path
from robots.mujoco.rewriting import LINK, rewritten
from robots.mujoco.rotors import add_rotors
from robots.rotation import Quat, Vec3
from robots.urdf import Urdf, read_urdf

LOAD = "load of the base"
"""Name of the body that stands for a payload."""

LOCK = "lock of "
"""Before a joint's name: the constraint that holds it where it jams."""

ROBOT, SCENE = 1, 2
"""Collision groups. What is in the scene touches everything; the robot touches itself only if told to."""

LINK_FRICTION = 0.5
"""Friction of a link whose file states none: PyBullet's default, not MuJoCo's."""


@dataclass(frozen=True)
class Body:
    """One compiled robot with its scene: bodies of its links and objects, its joints, the body that is the base.

    `rotors` are the tendons that stand for geared rotors, by joint, with the squared gear ratio.
    """

    model: mujoco.MjModel
    links: dict[str, int]
    objects: dict[str, int]
    joints: dict[str, int]
    base_link: int
    root: int
    rotors: dict[str, tuple[int, float]]
    source: Path

    def link(self, name: str) -> int:
        """Return the body of a link; raises `ConfigError` naming the nearest."""
        if name not in self.links:
            raise ConfigError(f"{self.source}: no link '{name}'; {nearest(name, tuple(self.links))}")
        return self.links[name]


def load_robot_body(path: Path, model: Model, joint_names: Sequence[str], folder: Path) -> Body:
    """Load the robot and its scene, undamped; raises `ConfigError` for a file or a name that is not there."""
    urdf = _urdf(path)
    for name in joint_names:
        if name not in urdf.movable:
            raise ConfigError(f"{path}: no movable joint '{name}'; {nearest(name, tuple(urdf.movable))}")
    spec = _place(_read(urdf, ROBOT, SCENE | (ROBOT * model.self_collision)), urdf, model)
    scene = {name: _urdf(model_path(folder, item.file)) for name, item in model.objects.items()}
    _furnish(spec, model, scene)
    _make_lockable(spec, joint_names)
    gears = {name: gear for name in joint_names if (gear := model.drive(name).gear_ratio)}
    return _body(spec, urdf, model, scene, add_rotors(spec, gears) if gears else {})


def _body(spec: mujoco.MjSpec, urdf: Urdf, model: Model, scene: Mapping[str, Urdf], rotors: dict[str, float]) -> Body:
    compiled = _compiled(spec, urdf.path)
    bodies = [(compiled.body(LINK + name).id, name) for name in urdf.links]
    links = {name: body for body, name in sorted(bodies)}
    if model.base_link is not None and model.base_link not in links:
        raise ConfigError(f"model.base_link: no link '{model.base_link}'; {nearest(model.base_link, [*links])}")
    objects = {name: compiled.body(f"{name}/{LINK}{item.root}").id for name, item in scene.items()}
    joints = {name: compiled.joint(name).id for name in urdf.movable}
    tendons = {joint: (compiled.tendon(joint).id, ratio**2) for joint, ratio in rotors.items()}
    _rub(compiled, urdf, links)
    for name, item in scene.items():
        _rub(compiled, item, {item.root: objects[name]})
    root = links[urdf.root]
    return Body(compiled, links, objects, joints, links.get(model.base_link or "", root), root, tendons, urdf.path)


def _urdf(path: Path) -> Urdf:
    if path.suffix != ".urdf":
        raise ConfigError(f"model.engine: mujoco loads URDFs here, and {path.name} is none; leave it to pybullet")
    return read_urdf(path)


def _read(urdf: Urdf, touches: int, touched: int) -> mujoco.MjSpec:
    """Return a file's spec, in these collision groups (`contype`, `conaffinity`)."""
    try:
        spec = mujoco.MjSpec.from_string(rewritten(urdf))
    except ValueError as error:
        raise _refusal(urdf.path, error) from None
    for geom in spec.geoms:
        geom.contype, geom.conaffinity, geom.condim = touches, touched, 3
    return spec


def _place(spec: mujoco.MjSpec, urdf: Urdf, model: Model) -> mujoco.MjSpec:
    """Put the root's link frame where the model says, free with a body for its payload, or fixed."""
    root = spec.body(LINK + urdf.root)
    root.pos, root.quat = model.base_pos, wxyz(model.base_quat_xyzw)
    if not model.fixed_base:
        root.add_freejoint()
        root.add_body(name=LOAD, mass=0.0, inertia=[0.0, 0.0, 0.0], explicitinertial=True)
    return spec


def _furnish(spec: mujoco.MjSpec, model: Model, scene: Mapping[str, Urdf]) -> None:
    """Set the solver and add floor and objects.

    A contact has the larger of two frictions; the floor's is 0, so that a link's own is that of the contact.
    """
    option = spec.option
    option.timestep = model.physics_dt / model.solver_substeps
    option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 100.0
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    if model.floor:
        plane, flat = mujoco.mjtGeom.mjGEOM_PLANE, [0.0, 0.0, 0.0]
        spec.worldbody.add_geom(type=plane, size=[0, 0, 1], friction=flat, contype=SCENE, conaffinity=ROBOT | SCENE)
    for name, item in model.objects.items():
        thing = _read(scene[name], SCENE, ROBOT | SCENE)
        root = thing.body(LINK + scene[name].root)
        root.pos, root.quat = item.pos, wxyz(item.quat_xyzw)
        if not item.fixed:
            root.add_freejoint()
        spec.attach(thing, frame=spec.worldbody.add_frame(), prefix=f"{name}/")


def _make_lockable(spec: mujoco.MjSpec, joint_names: Sequence[str]) -> None:
    for joint in joint_names:
        spec.add_equality(
            name=LOCK + joint,
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=joint,
            active=False,
            solimp=[0.9999, 0.9999, 0.001, 0.5, 2.0],
        )


def _compiled(spec: mujoco.MjSpec, path: Path) -> mujoco.MjModel:
    """Compile, with contacts, limits and locks as hard as the time step allows."""
    try:
        model = spec.compile()
    except ValueError as error:
        raise _refusal(path, error) from None
    hard = np.array([2.0 * model.opt.timestep, 1.0])
    for reference in (model.geom_solref, model.jnt_solref, model.eq_solref):
        reference[:] = hard
    return model


def _rub(model: mujoco.MjModel, urdf: Urdf, bodies: Mapping[str, int]) -> None:
    for name, body in bodies.items():
        friction = urdf.links[name].lateral_friction
        model.geom_friction[model.geom_bodyid == body, 0] = LINK_FRICTION if friction is None else friction


def _refusal(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{path}: MuJoCo cannot load it ({' '.join(str(error).split())})")


def wxyz(quat_xyzw: Quat) -> list[float]:
    """Return a quaternion in MuJoCo's order."""
    x, y, z, w = quat_xyzw
    return [w, x, y, z]


def xyzw(quat_wxyz: Sequence[float]) -> Quat:
    """Return a quaternion in the order used everywhere else."""
    w, x, y, z = quat_wxyz
    return x, y, z, w


def vec3(row: np.ndarray) -> Vec3:
    """Return three numbers as plain floats."""
    x, y, z = row.tolist()
    return x, y, z
