"""One robot in one MuJoCo model: stepped by joint torques, read by name.

Nothing of an episode outlives a reset: state, forces, the solver's warm start and locks are cleared, and what MuJoCo
derives from masses is worked out from the masses alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from domain_rand.schema import ConfigError
from robots.model import Model
from robots.mujoco.loading import LOCK, load_robot_body, vec3, wxyz, xyzw
from robots.mujoco.properties import Properties
from robots.rotation import Quat, Vec3, multiply, rotate_back
from robots.view import BaseState, States

Pose = tuple[Vec3, Quat]

if mujoco.get_mju_user_warning() is None:  # else what it warns of goes to a file in the working directory
    mujoco.set_mju_user_warning(logging.getLogger(__name__).warning)


class MujocoWorld:
    """Joint vectors follow the order of `joint_names`; `states` holds position [rad] and velocity [rad/s] per joint."""

    def __init__(self, path: Path, model: Model, joint_names: Sequence[str], folder: Path | None = None) -> None:
        """Load the robot, and its objects from `folder` (that of the model file if none is given)."""
        self.joint_names = tuple(joint_names)
        self._substeps = model.solver_substeps
        self._body = load_robot_body(path, model, self.joint_names, folder or path.parent)
        self._model = self._body.model
        self._data = mujoco.MjData(self._model)
        self.properties = Properties(self._body, model.fixed_base, model.gravity)
        joints = [self._body.joints[name] for name in self.joint_names]
        self._qpos, self._qvel = self._model.jnt_qposadr[joints], self._model.jnt_dofadr[joints]
        self._locks = {name: self._model.equality(LOCK + name).id for name in self.joint_names}
        self._own_geoms = np.isin(self._model.geom_bodyid, list(self._body.links.values())).tolist()
        self.reset([0.0] * len(joints), [0.0] * len(joints))

    def reset(self, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> None:
        """Place the joints [rad, rad/s] and the rest of the robot where it was loaded, at rest, without any force."""
        self._settle()
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[self._qpos], self._data.qvel[self._qvel] = joint_pos, joint_vel
        self.torques: Sequence[float] = [0.0] * len(self._qvel)
        self._pushed = False
        self._look()

    def place_base(self, offset: Vec3, turn: Quat, lin_vel_world: Vec3, ang_vel_world: Vec3) -> None:
        """After a reset, move the root's link frame by `offset` [m], turn it, and give it a velocity [m/s, rad/s].

        Raises `ConfigError` for a fixed base.
        """
        quat = multiply(turn, xyzw(self._model.body_quat[self._body.root].tolist()))
        pos = self._model.body_pos[self._body.root] + offset
        velocity = [*lin_vel_world, *rotate_back(quat, ang_vel_world)]
        self._move(self._body.root, [*pos.tolist(), *wxyz(quat)], velocity, "the base")

    def place_object(self, name: str, pos: Vec3, quat_xyzw: Quat) -> None:
        """After a reset, put an extra object's frame somewhere, at rest; raises `ConfigError` for a fixed one."""
        self._move(self._body.objects[name], [*pos, *wxyz(quat_xyzw)], [0.0] * 6, f"object {name}")

    def _move(self, body: int, pose: list[float], velocity: list[float], what: str) -> None:
        """Set pose and velocity of a free body; MuJoCo's angular velocity is seen from the body."""
        joint = self._model.body_jntadr[body]
        if joint < 0:
            raise ConfigError(f"engine mujoco: {what} is fixed and cannot be placed elsewhere")
        qpos, qvel = self._model.jnt_qposadr[joint], self._model.jnt_dofadr[joint]
        self._data.qpos[qpos : qpos + 7], self._data.qvel[qvel : qvel + 6] = pose, velocity
        self._look()

    def load_base(self, again: bool) -> None:
        """Let what was written within an episode act: the payload is part of the model."""
        self._settle()

    def _settle(self) -> None:
        if self.properties.stale:
            self.properties.settle()

    def lock(self, joints: Set[str]) -> None:
        """Jam exactly these joints where they are now; a reset frees all."""
        for place, (joint, lock) in zip(self._qpos, self._locks.items(), strict=True):
            if joint in joints and not self._data.eq_active[lock]:
                self._model.eq_data[lock, 0] = self._data.qpos[place]
            self._data.eq_active[lock] = joint in joints

    def step(self, torques: Sequence[float]) -> None:
        """Apply joint torques [N·m] for one physics step."""
        self._data.qfrc_applied[self._qvel] = torques
        mujoco.mj_step(self._model, self._data, self._substeps)
        if self._pushed:
            self._data.xfrc_applied[:] = 0.0
            self._pushed = False
        self.torques = torques
        self._look()

    def run(self, torque: Callable[[States], Sequence[float]], steps: int, acting: int | None = None) -> None:
        """Take `steps` physics steps, each under the joint torques [N·m] that `torque` returns for the states then.

        It is asked about the first `acting` joints alone, as the others' torques are zero.
        """
        idle = [0.0] * (0 if acting is None else len(self._qvel) - acting)
        for _ in range(steps):
            self.step([*torque(self.states[:acting]), *idle])

    def push(self, force_world: Sequence[float]) -> None:
        """Push at the base's centre of mass with a force [N, world] for the next physics step."""
        self._data.xfrc_applied[self._body.base_link, :3] = force_world
        self._pushed = True

    def _look(self) -> None:
        """Read the joints; links are looked at only when asked for."""
        pos, vel = self._data.qpos[self._qpos].tolist(), self._data.qvel[self._qvel].tolist()
        self.states: States = [(p, v, None, None) for p, v in zip(pos, vel, strict=True)]
        self._seen = False

    def _see(self) -> Any:
        """Return the data with link poses and velocities of now; a step leaves those of its beginning."""
        if not self._seen:
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_comPos(self._model, self._data)
            mujoco.mj_comVel(self._model, self._data)
            self._seen = True
        return self._data

    @property
    def joint_pos(self) -> list[float]:
        """Joint positions [rad] after the last step or reset, passive joints last."""
        return [state[0] for state in self.states]

    @property
    def joint_vel(self) -> list[float]:
        """Joint velocities [rad/s] after the last step or reset, passive joints last."""
        return [state[1] for state in self.states]

    def names(self, group: str) -> tuple[str, ...]:
        """Names that carry a property: links with mass and objects, a base that can be loaded, the world itself."""
        return self.properties.names(group)

    def nominal(self, group: str, name: str, field: str) -> float:
        """The value at load. Raises `ConfigError` for what this engine does not simulate."""
        return self.properties.nominal(group, name, field)

    def write(self, group: str, name: str, field: str, value: float) -> None:
        """Set a property of a link, a joint's rotor, the world or the base's load, from the next reset or `load_base`.

        Raises `ConfigError` for what this engine does not simulate.
        """
        self.properties.write(group, name, field, value)

    def read(self, group: str, name: str, field: str) -> float:
        """Return what the simulator holds now."""
        return self.properties.read(group, name, field)

    def inertia(self, name: str) -> Vec3:
        """Return a link's principal inertia [kg·m²]."""
        return self.properties.inertia(name)

    @property
    def gravity_world(self) -> Vec3:
        """Unit vector of gravity in the world frame."""
        return self.properties.gravity_world

    def base_state(self) -> BaseState:
        """Pose and velocity of the base's link frame."""
        return self._state(self._body.base_link)

    def link_pose(self, link: str) -> Pose:
        """Position [m] and orientation of a link's frame, in the world frame."""
        return self._pose(self._body.link(link))

    def link_vel(self, link: str) -> tuple[Vec3, Vec3]:
        """Velocity [m/s] and angular velocity [rad/s] of a link's frame, in the world frame."""
        state = self._state(self._body.link(link))
        return state.lin_vel_world, state.ang_vel_world

    def object_pose(self, name: str) -> Pose:
        """Position [m] and orientation of an extra object's frame, in the world frame."""
        return self._pose(self._body.objects[name])

    def contact_force(self, link: str) -> float:
        """Sum of the normal forces [N] on a link from anything but the robot, in the last physics step."""
        body, force, total = self._body.link(link), np.zeros(6), 0.0
        for index in range(self._data.ncon):
            pair = self._data.contact.geom[index].tolist()
            if body in self._model.geom_bodyid[pair] and not all(self._own_geoms[geom] for geom in pair):
                mujoco.mj_contactForce(self._model, self._data, index, force)
                total += float(force[0])
        return total

    def image(self, width: int = 480, height: int = 360) -> Any:
        """Raise `ConfigError`: PyBullet alone draws without a screen everywhere."""
        raise ConfigError("engine mujoco takes no pictures here; engine pybullet does")

    def close(self) -> None:
        """Do nothing: the model is memory, which goes with this object."""

    def _pose(self, body: int) -> Pose:
        data = self._see()
        return vec3(data.xpos[body]), xyzw(data.xquat[body].tolist())

    def _state(self, body: int) -> BaseState:
        data, velocity = self._see(), np.zeros(6)
        mujoco.mj_objectVelocity(self._model, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 0)
        return BaseState(*self._pose(body), vec3(velocity[3:]), vec3(velocity[:3]))
