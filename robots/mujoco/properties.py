"""The physical properties of links, rotors, load and world by name: nominal at load, written into MuJoCo's model.

What MuJoCo derives from masses is stale after a write; `settle` works it out anew, from nothing but the model.
"""

from __future__ import annotations

from math import cos, hypot, sin
from typing import Any

import mujoco
import numpy as np

from domain_rand.schema import ConfigError
from robots.mujoco.loading import LOAD, Body, vec3
from robots.rotation import Vec3

PLACES = ("payload_x", "payload_y", "payload_z")
FIELDS = {
    "link": ("mass", "inertia", "lateral_friction"),
    "joint": ("reflected_inertia",),
    "world": ("gravity", "slope_x", "slope_y"),
    "base": ("payload_mass", *PLACES),
}
"""What this engine simulates, by group."""

Cell = tuple[np.ndarray, Any, float]
"""An array of the model, the index that holds a property there, and the property per unit of what is held."""


class Properties:
    """All named properties of a loaded robot, its objects and its world; `stale` until `settle` after a write."""

    def __init__(self, body: Body, fixed_base: bool, gravity: float) -> None:
        self._body, self._model = body, body.model
        self._scratch = mujoco.MjData(body.model)
        self._nominal_mass, self._nominal_inertia = body.model.body_mass.copy(), body.model.body_inertia.copy()
        self._inertia_scale = np.ones(body.model.nbody)
        self._unfelt = np.zeros(body.model.nbody)  # friction of links without shape
        # a fixed base feels nothing of its mass
        places = {name: i for name, i in body.links.items() if not (fixed_base and i == body.root)} | body.objects
        self.links = {name: i for name, i in places.items() if self._nominal_mass[i] > 0}
        self._geoms = {name: np.flatnonzero(body.model.geom_bodyid == i) for name, i in self.links.items()}
        self._load = None if fixed_base else body.model.body(LOAD).id
        self._nominal_world = {"gravity": gravity, "slope_x": 0.0, "slope_y": 0.0}
        self._world = dict(self._nominal_world)
        self._gravitate()
        self._nominal_friction = {name: self.read("link", name, "lateral_friction") for name in self.links}
        self.settle()

    def names(self, group: str) -> tuple[str, ...]:
        """Names that carry a property of a group."""
        if group == "link":
            return tuple(self.links)
        if group == "base":
            return () if self._load is None else ("base",)
        return ("world",)

    def nominal(self, group: str, name: str, field: str) -> float:
        """The value at load: what every randomisation starts from."""
        _check(group, name, field)
        if group != "link":
            return self._nominal_world[field] if group == "world" else 0.0
        if field == "lateral_friction":
            return self._nominal_friction[name]
        return 1.0 if field == "inertia" else float(self._nominal_mass[self.links[name]])

    def write(self, group: str, name: str, field: str, value: float) -> None:
        """Set a property; mass scales inertia in proportion. It acts once `settle` was called."""
        _check(group, name, field)
        self.stale = True
        if group == "world":
            self._world[field] = value
            self._gravitate()
        elif field == "inertia":
            self._inertia_scale[self.links[name]] = value
        else:
            array, index, per_unit = self._cell(group, name, field)
            array[index] = value / per_unit
        if field in ("mass", "inertia"):
            self._turn(self.links[name])

    def read(self, group: str, name: str, field: str) -> float:
        """Return what the simulator holds now; slopes and the friction of links without shape as written."""
        _check(group, name, field)
        if group == "world":
            return self._read_gravity() if field == "gravity" else self._world[field]
        if field == "inertia":
            return self._relative_inertia(self.links[name])
        array, index, per_unit = self._cell(group, name, field)
        return float(np.ravel(array[index])[0] * per_unit)

    def settle(self) -> None:
        """Let MuJoCo work out what follows from masses and inertias."""
        mujoco.mj_setConst(self._model, self._scratch)
        self.stale = False

    def inertia(self, name: str) -> Vec3:
        """Return a link's principal inertia [kg·m²]."""
        return vec3(self._model.body_inertia[self.links[name]])

    def _cell(self, group: str, name: str, field: str) -> Cell:
        model = self._model
        if group == "base":
            in_place = field in PLACES
            return (
                (model.body_pos, (self._load, PLACES.index(field)), 1.0)
                if in_place
                else (model.body_mass, self._load, 1.0)
            )
        if group == "joint" and name in self._body.rotors:
            return model.tendon_armature, *self._body.rotors[name]
        if group == "joint":
            return model.dof_armature, model.jnt_dofadr[self._body.joints[name]], 1.0
        if field == "mass":
            return model.body_mass, self.links[name], 1.0
        geoms = self._geoms[name]
        return (model.geom_friction, (geoms, 0), 1.0) if geoms.size else (self._unfelt, self.links[name], 1.0)

    def _turn(self, index: int) -> None:
        # a factor of exactly 1 restores nominal to the last bit
        factor = self._model.body_mass[index] / self._nominal_mass[index] * self._inertia_scale[index]
        self._model.body_inertia[index] = self._nominal_inertia[index] * factor

    def _relative_inertia(self, index: int) -> float:
        axis = int(np.argmax(self._nominal_inertia[index]))
        proportional = self._nominal_inertia[index, axis] * (self._model.body_mass[index] / self._nominal_mass[index])
        return float(self._model.body_inertia[index, axis] / proportional)

    def _gravitate(self) -> None:
        """Tilt gravity, not the floor: the world frame is that of a ground turned by the slopes about x and y."""
        x, y = self._world["slope_x"], self._world["slope_y"]
        self.gravity_world: Vec3 = (sin(y) * cos(x), -sin(x), -cos(y) * cos(x))
        self._model.opt.gravity[:] = [self._world["gravity"] * component for component in self.gravity_world]

    def _read_gravity(self) -> float:
        x, y, z = self._model.opt.gravity.tolist()
        return -z if x == y == 0 else hypot(x, y, z)


def _check(group: str, name: str, field: str) -> None:
    able = FIELDS.get(group, ())
    if field not in able:
        raise ConfigError(
            f"{group} {name}: engine mujoco does not simulate {field}; valid of a {group}: {', '.join(able)}"
        )
