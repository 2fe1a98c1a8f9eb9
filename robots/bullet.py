"""The PyBullet world of one robot: the only file that imports pybullet.

Every call names its client; every property group is written in a call of its own (a link's mass written together with
damping lands on the base); default motors are switched off after each reset; a reset never reloads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pybullet

from domain_rand.parameters import Group
from domain_rand.schema import ConfigError, nearest
from robots.spec import Model


class BulletWorld:
    """One robot in one PyBullet client; joint vectors follow the order of `joint_names`.

    `joint_pos` [rad] and `joint_vel` [rad/s] hold the state after the last step or reset.
    """

    def __init__(self, urdf: Path, model: Model, joint_names: Sequence[str]) -> None:
        self._client = pybullet.connect(pybullet.DIRECT)
        self._physics_dt = model.physics_dt
        try:
            self._load(urdf, model, joint_names)
        except BaseException:
            self.close()
            raise

    def _load(self, urdf: Path, model: Model, joint_names: Sequence[str]) -> None:
        client = self._client
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=model.physics_dt,
            numSubSteps=model.solver_substeps,
            numSolverIterations=model.solver_iterations,
            physicsClientId=client,
        )
        flags = pybullet.URDF_USE_INERTIA_FROM_FILE
        try:
            self._body = pybullet.loadURDF(
                str(urdf), model.base_pos, useFixedBase=model.fixed_base, flags=flags, physicsClientId=client
            )
        except pybullet.error as error:
            message = f"{urdf}: PyBullet cannot load it ({error}); check that the file and its meshes exist"
            raise ConfigError(message) from None
        joints = self._read_tree()
        self._index = [_lookup(name, joints, urdf) for name in joint_names]
        for damping in ({"linearDamping": 0}, {"angularDamping": 0}):
            pybullet.changeDynamics(self._body, -1, **damping, physicsClientId=client)
        # A fixed base has no mass; giving it one would let it fall.
        masses = {name: self._mass_and_inertia(link) for name, link in self._links.items()}
        self._nominal_mass = {name: properties for name, properties in masses.items() if properties[0] > 0}
        self._base = pybullet.getBasePositionAndOrientation(self._body, physicsClientId=client)
        self.write("world", "world", "gravity", model.gravity)
        self._nominal_gravity = model.gravity
        self.reset([0.0] * len(self._index), [0.0] * len(self._index))

    def _read_tree(self) -> dict[str, int]:
        """Collect links and joints by name; returns the joint table."""
        body, client = self._body, self._client
        base = pybullet.getBodyInfo(body, physicsClientId=client)[0].decode()
        infos = [
            pybullet.getJointInfo(body, i, physicsClientId=client)
            for i in range(pybullet.getNumJoints(body, physicsClientId=client))
        ]
        self._links = {base: -1} | {info[12].decode(): info[0] for info in infos}
        self._movable = [info[0] for info in infos if info[2] != pybullet.JOINT_FIXED]
        return {info[1].decode(): info[0] for info in infos if info[2] != pybullet.JOINT_FIXED}

    def reset(self, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> None:
        """Place the joints [rad, rad/s] and the rest of the robot where it was loaded, at rest, with all motors off."""
        body, client = self._body, self._client
        pybullet.resetBasePositionAndOrientation(body, *self._base, physicsClientId=client)
        pybullet.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=client)
        state = dict(zip(self._index, zip(joint_pos, joint_vel, strict=True), strict=True))
        for index in self._movable:
            pybullet.resetJointState(body, index, *state.get(index, (0.0, 0.0)), physicsClientId=client)
            pybullet.setJointMotorControl2(body, index, pybullet.VELOCITY_CONTROL, force=0, physicsClientId=client)
        self._read_state()

    def step(self, torques: Sequence[float]) -> None:
        """Apply joint torques [N·m] for one physics step; PyBullet forgets them after it."""
        body, index, client = self._body, self._index, self._client
        pybullet.setJointMotorControlArray(body, index, pybullet.TORQUE_CONTROL, forces=torques, physicsClientId=client)
        pybullet.stepSimulation(client)
        self._states = pybullet.getJointStates(body, index, client)
        self.joint_vel = [state[1] for state in self._states]

    @property
    def joint_pos(self) -> list[float]:
        """Joint positions [rad] after the last step or reset."""
        return [state[0] for state in self._states]

    def _read_state(self) -> None:
        self._states = pybullet.getJointStates(self._body, self._index, self._client)
        self.joint_vel = [state[1] for state in self._states]

    def bare_step(self) -> None:
        """Advance the simulation with nothing around it: the limit that environment speed is measured against."""
        pybullet.stepSimulation(self._client)

    def names(self, group: Group) -> tuple[str, ...]:
        """Names that carry a property: links with mass, or the world itself."""
        return tuple(self._nominal_mass) if group == "link" else ("world",)

    def nominal(self, group: Group, name: str, field: str) -> float:
        """The value at load: what every randomisation starts from."""
        return self._nominal_mass[name][0] if group == "link" else self._nominal_gravity

    def write(self, group: Group, name: str, field: str, value: float) -> None:
        """Set a link's mass [kg], its inertia in proportion to nominal, or the world's gravity [m/s²]."""
        if group == "world":
            pybullet.setGravity(0, 0, -value, physicsClientId=self._client)
            return
        link, (mass, inertia) = self._links[name], self._nominal_mass[name]
        pybullet.changeDynamics(self._body, link, mass=value, physicsClientId=self._client)
        scaled = [i * (value / mass) for i in inertia]  # a factor of exactly 1 restores nominal to the last bit
        pybullet.changeDynamics(self._body, link, localInertiaDiagonal=scaled, physicsClientId=self._client)

    def read(self, group: Group, name: str, field: str) -> float:
        """Return what the simulator holds now."""
        if group == "world":
            return -pybullet.getPhysicsEngineParameters(physicsClientId=self._client)["gravityAccelerationZ"]
        return self._mass_and_inertia(self._links[name])[0]

    def inertia(self, name: str) -> tuple[float, float, float]:
        """Return a link's principal inertia [kg·m²]."""
        return self._mass_and_inertia(self._links[name])[1]

    def image(self, width: int = 480, height: int = 360) -> list[list[list[int]]]:
        """Render the world from the side with the software renderer; `[height, width, 3]` values 0–255."""
        view = pybullet.computeViewMatrix([0, -2.2, 0.8], [0, 0, 0.7], [0, 0, 1])
        projection = pybullet.computeProjectionMatrixFOV(40, width / height, 0.1, 10)
        _, _, rgba, _, _ = pybullet.getCameraImage(
            width, height, view, projection, renderer=pybullet.ER_TINY_RENDERER, physicsClientId=self._client
        )
        return rgba

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        if self._client >= 0 and pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)
        self._client = -1

    def _mass_and_inertia(self, link: int) -> tuple[float, tuple[float, float, float]]:
        info = pybullet.getDynamicsInfo(self._body, link, physicsClientId=self._client)
        return info[0], info[2]


def _lookup(name: str, joints: dict[str, int], urdf: Path) -> int:
    if name not in joints:
        raise ConfigError(f"{urdf}: no movable joint '{name}'; {nearest(name, tuple(joints))}")
    return joints[name]
