"""One robot in one PyBullet client: stepped by joint torques, read by name.

Every call names its client; motors are switched off after each reset; a reset never reloads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from pathlib import Path

import pybullet

from robots.bullet.loading import load_floor, load_object, load_robot_body
from robots.bullet.payload import NAME as PAYLOAD
from robots.bullet.payload import Payload
from robots.bullet.properties import Properties
from robots.bullet.rotors import Rotors
from robots.model import Camera, Model, model_path
from robots.rotation import IDENTITY, Quat, Vec3, cross, inverse, multiply, rotate, rotate_back
from robots.view import BaseState, States

Pose = tuple[Vec3, Quat]
LOCK_FORCE = 1e4
"""Largest force or torque that holds a jammed joint [N, N·m]."""

FAR = 100.0
"""Distance at which bodies touch nothing [m]."""


class BulletWorld:
    """Joint vectors follow the order of `joint_names`; `states` holds position [rad] and velocity [rad/s] per joint."""

    def __init__(self, path: Path, model: Model, joint_names: Sequence[str], folder: Path | None = None) -> None:
        """Load the robot, and its objects from `folder` (that of the model file if none is given)."""
        self._client = pybullet.connect(pybullet.DIRECT)
        self.joint_names = tuple(joint_names)
        self._camera, self._substeps = model.camera, model.solver_substeps
        try:
            self._load(path, model, folder or path.parent)
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path, model: Model, folder: Path) -> None:
        client = self._client
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=model.physics_dt,
            numSubSteps=model.solver_substeps,
            numSolverIterations=model.solver_iterations,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        if model.floor:
            load_floor(client)
        self._body = load_robot_body(client, path, model, self.joint_names)
        self._uid = self._body.uid
        self._index = [self._body.joint(name) for name in self.joint_names]
        self._others = [index for name, index in self._body.joints.items() if name not in self.joint_names]
        self._objects = {
            name: load_object(client, model_path(folder, item.file), item.pos, item.quat_xyzw, item.fixed)
            for name, item in model.objects.items()
        }
        self.properties = Properties(client, self._body, self._objects, model.gravity)
        gears = {name: gear for name in self.joint_names if (gear := model.drive(name).gear_ratio)}
        self._rotors = Rotors(client, self._body, self.joint_names, gears, model.physics_dt) if gears else None
        self._remember_start()
        self._payload = None if model.fixed_base else Payload(client, self._uid, self._root_inertial)
        self.reset([0.0] * len(self._index), [0.0] * len(self._index))

    def _remember_start(self) -> None:
        client = self._client
        root = pybullet.getDynamicsInfo(self._uid, -1, physicsClientId=client)
        self._root_inertial: Pose = root[3], root[4]
        # from the root's frame to its centre of mass, seen from the latter's axes; and back from these axes
        self._arm, self._back = rotate_back(root[4], root[3]), inverse(root[4])
        self._centred = self._root_inertial == ((0.0, 0.0, 0.0), IDENTITY)
        self._loaded = pybullet.getBasePositionAndOrientation(self._uid, physicsClientId=client)
        self._objects_loaded = {
            uid: pybullet.getBasePositionAndOrientation(uid, physicsClientId=client) for uid in self._objects.values()
        }

    def reset(self, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> None:
        """Place the joints [rad, rad/s] and the rest of the robot where it was loaded, at rest, with all motors off."""
        uid, client = self._uid, self._client
        self._part_everything()
        pybullet.resetBasePositionAndOrientation(uid, *self._loaded, physicsClientId=client)
        pybullet.resetBaseVelocity(uid, [0, 0, 0], [0, 0, 0], physicsClientId=client)
        for index, pos, vel in zip(self._index, joint_pos, joint_vel, strict=True):
            pybullet.resetJointState(uid, index, pos, vel, physicsClientId=client)
        for index in self._others:
            pybullet.resetJointState(uid, index, 0.0, 0.0, physicsClientId=client)
        self._free_joints()
        for item, pose in self._objects_loaded.items():
            pybullet.resetBasePositionAndOrientation(item, *pose, physicsClientId=client)
            pybullet.resetBaseVelocity(item, [0, 0, 0], [0, 0, 0], physicsClientId=client)
        self.states: States = pybullet.getJointStates(uid, self._index, client)
        self.torques: Sequence[float] = [0.0] * len(self._index)
        if self._rotors is not None:
            self._rotors.reset()

    def _part_everything(self) -> None:
        """End all contacts: those that outlive a reset make the motion after it depend on the motion before."""
        for place, uid in enumerate((self._uid, *self._objects.values()), start=1):
            far = [0.0, 0.0, FAR * place]
            pybullet.resetBasePositionAndOrientation(uid, far, [0, 0, 0, 1], physicsClientId=self._client)
        pybullet.performCollisionDetection(physicsClientId=self._client)

    def _free_joints(self) -> None:
        self._locked: Set[str] = set()
        uid, client, single = self._uid, self._client, [*self._index, *self._others]
        velocity, zeros = pybullet.VELOCITY_CONTROL, [0.0] * len(single)
        pybullet.setJointMotorControlArray(uid, single, velocity, forces=zeros, physicsClientId=client)
        for index in self._body.spherical:
            pybullet.resetJointStateMultiDof(uid, index, [0, 0, 0, 1], [0, 0, 0], physicsClientId=client)
            pybullet.setJointMotorControlMultiDof(
                uid,
                index,
                pybullet.POSITION_CONTROL,
                targetPosition=[0, 0, 0, 1],
                positionGain=0,
                velocityGain=0,
                force=[0, 0, 0],
                physicsClientId=client,
            )

    def place_base(self, offset: Vec3, turn: Quat, lin_vel_world: Vec3, ang_vel_world: Vec3) -> None:
        """After a reset, move the root's link frame by `offset` [m], turn it, and give it a velocity [m/s, rad/s]."""
        pos, quat = _link_frame(self._loaded, self._root_inertial)
        pos, quat = (pos[0] + offset[0], pos[1] + offset[1], pos[2] + offset[2]), multiply(turn, quat)
        arm = rotate(quat, self._root_inertial[0])
        swing = cross(ang_vel_world, arm)
        client = self._client
        centre = [p + a for p, a in zip(pos, arm, strict=True)]
        velocity = [v + s for v, s in zip(lin_vel_world, swing, strict=True)]
        pybullet.resetBasePositionAndOrientation(
            self._uid, centre, multiply(quat, self._root_inertial[1]), physicsClientId=client
        )
        pybullet.resetBaseVelocity(self._uid, velocity, ang_vel_world, physicsClientId=client)

    def place_object(self, name: str, pos: Vec3, quat_xyzw: Quat) -> None:
        """After a reset, put an extra object's frame somewhere, at rest."""
        uid, client = self._objects[name], self._client
        inertial = pybullet.getDynamicsInfo(uid, -1, physicsClientId=client)
        arm = rotate(quat_xyzw, inertial[3])
        centre = [p + a for p, a in zip(pos, arm, strict=True)]
        pybullet.resetBasePositionAndOrientation(uid, centre, multiply(quat_xyzw, inertial[4]), physicsClientId=client)

    def load_base(self, again: bool) -> None:
        """Attach the payload to the base as it stands: `again` after a reset, else only if it was changed."""
        if self._payload is not None:
            self._payload.attach(self._root_state(), again)

    def lock(self, joints: Set[str]) -> None:
        """Jam exactly these joints where they are now; a reset frees all."""
        uid, client = self._uid, self._client
        for joint in self._locked - joints:
            index = self._body.joint(joint)
            pybullet.setJointMotorControl2(uid, index, pybullet.VELOCITY_CONTROL, force=0, physicsClientId=client)
        for joint in joints - self._locked:
            index = self._body.joint(joint)
            pos = pybullet.getJointState(uid, index, physicsClientId=client)[0]
            pybullet.setJointMotorControl2(
                uid, index, pybullet.POSITION_CONTROL, pos, force=LOCK_FORCE, physicsClientId=client
            )
        self._locked = set(joints)

    def step(self, torques: Sequence[float]) -> None:
        """Apply joint torques [N·m] for one physics step; PyBullet forgets them after it."""
        uid, index, client = self._uid, self._index, self._client
        asked = torques
        if self._rotors is not None:
            torques = self._rotors.correct(torques, self.states)
        # Positional arguments: keywords cost as much as the call. Of the five vectors, torque control reads the third.
        _set_motors(uid, index, _TORQUE, torques, torques, torques, torques, torques, client)
        _step(client)
        self.states, self.torques = _joint_states(uid, index, client), asked

    def run(self, torque: Callable[[States], Sequence[float]], steps: int, acting: int | None = None) -> None:
        """Take `steps` physics steps, each under the joint torques [N·m] that `torque` returns for the states then.

        It is asked about the first `acting` joints alone, as the others' torques are zero. The inner loop of every
        environment: it differs from calling `step` in its speed only.
        """
        uid, index, client = self._uid, self._index, self._client
        if self._rotors is not None:
            torque, acting = self._rotors.around(torque), None
        asked, states = index[:acting], self.states[:acting]
        for left in range(steps - 1, -1, -1):
            torques = torque(states)
            _set_motors(uid, asked, _TORQUE, torques, torques, torques, torques, torques, client)
            _step(client)
            states = _joint_states(uid, asked if left else index, client)
        self.states, self.torques = states, torques if self._rotors is None else self._rotors.asked

    def push(self, force_world: Sequence[float]) -> None:
        """Push at the base's centre of mass with a force [N, world] for the next physics step."""
        uid, link, client = self._uid, self._body.base_link, self._client
        centre = (pybullet.getBasePositionAndOrientation(uid, client) if link == -1 else self._link(link))[0]
        pybullet.applyExternalForce(uid, link, force_world, centre, pybullet.WORLD_FRAME, client)

    @property
    def handle(self) -> tuple[int, int]:
        """Client and body, for the other files of this folder."""
        return self._client, self._uid

    @property
    def shaped_links(self) -> frozenset[int]:
        """Indices of the links that can touch something."""
        return self._body.shaped

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
        match group:
            case "link":
                return tuple(self.properties.links)
            case "base":
                return () if self._payload is None else (PAYLOAD,)
            case _:
                return ("world",)

    def nominal(self, group: str, name: str, field: str) -> float:
        """The value at load: what every randomisation starts from."""
        return 0.0 if group == "base" else self.properties.nominal(group, name, field)

    def write(self, group: str, name: str, field: str, value: float) -> None:
        """Set a property of a link, a joint (its rotor's inertia), the world or the base's load (see `load_base`)."""
        if group == "base" and self._payload is not None:
            self._payload.write(field, value)
        else:
            self.properties.write(group, name, field, value)
        if group == "joint" and self._rotors is not None:
            self._rotors.write(name, value)

    def read(self, group: str, name: str, field: str) -> float:
        """Return what the simulator holds now."""
        if group == "base" and self._payload is not None:
            return self._payload.read(field)
        return self.properties.read(group, name, field)

    def inertia(self, name: str) -> Vec3:
        """Return a link's principal inertia [kg·m²]."""
        return self.properties.links[name].inertia

    @property
    def gravity_world(self) -> Vec3:
        """Unit vector of gravity in the world frame."""
        return self.properties.gravity_world

    def base_state(self) -> BaseState:
        """Pose and velocity of the base's link frame; PyBullet gives those of its centre of mass."""
        return self._frame_state(self._body.base_link)

    def _root_state(self) -> BaseState:
        client = self._client
        centre, orientation = pybullet.getBasePositionAndOrientation(self._uid, client)
        linear, angular = pybullet.getBaseVelocity(self._uid, client)
        if self._centred:
            return BaseState(centre, orientation, linear, angular)
        x, y, z = arm = rotate(orientation, self._arm)
        a, b, c = cross(angular, arm)
        pos = centre[0] - x, centre[1] - y, centre[2] - z
        vel = linear[0] - a, linear[1] - b, linear[2] - c
        return BaseState(pos, multiply(orientation, self._back), vel, angular)

    def link_pose(self, link: str) -> Pose:
        """Position [m] and orientation of a link's frame, in the world frame."""
        index = self._body.link(link)
        if index == -1:
            pose = pybullet.getBasePositionAndOrientation(self._uid, self._client)
            return _link_frame(pose, self._root_inertial)
        state = pybullet.getLinkState(self._uid, index, 0, 1, self._client)
        return state[4], state[5]

    def link_vel(self, link: str) -> tuple[Vec3, Vec3]:
        """Velocity [m/s] and angular velocity [rad/s] of a link's frame, in the world frame."""
        state = self._frame_state(self._body.link(link))
        return state.lin_vel_world, state.ang_vel_world

    def contact_force(self, link: str) -> float:
        """Sum of the normal forces [N] on a link from anything but the robot, in the last physics step."""
        uid = self._uid
        contacts = pybullet.getContactPoints(bodyA=uid, linkIndexA=self._body.link(link), physicsClientId=self._client)
        # PyBullet divides the impulse of the last substep by the whole step
        return self._substeps * sum(contact[9] for contact in contacts if contact[2] != uid)

    def object_pose(self, name: str) -> Pose:
        """Position [m] and orientation of an extra object's frame, in the world frame."""
        uid, client = self._objects[name], self._client
        info = pybullet.getDynamicsInfo(uid, -1, physicsClientId=client)
        return _link_frame(pybullet.getBasePositionAndOrientation(uid, client), (info[3], info[4]))

    def image(self, width: int = 480, height: int = 360) -> list[list[list[int]]]:
        """Render the scene with the software renderer; `[height, width, 4]` values 0–255."""
        camera: Camera = self._camera
        target = camera.target
        if camera.follow:
            base = self.base_state().pos_world
            target = (target[0] + base[0], target[1] + base[1], target[2] + base[2])
        view = pybullet.computeViewMatrixFromYawPitchRoll(target, camera.distance, camera.yaw, camera.pitch, 0, 2)
        projection = pybullet.computeProjectionMatrixFOV(camera.field_of_view, width / height, 0.1, 20)
        renderer = pybullet.ER_TINY_RENDERER
        return pybullet.getCameraImage(
            width, height, view, projection, renderer=renderer, physicsClientId=self._client
        )[2]

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        if self._client >= 0 and pybullet.isConnected(self._client):
            pybullet.disconnect(self._client)
        self._client = -1

    def _link(self, index: int):  # type: ignore[no-untyped-def]
        return pybullet.getLinkState(self._uid, index, 1, 1, self._client)

    def _frame_state(self, index: int) -> BaseState:
        """Pose and velocity of a link's frame, from one call: it is the dearest there is."""
        if index == -1:
            return self._root_state()
        centre, _, _, _, pos, quat, vel, ang_vel = self._link(index)
        if centre == pos:
            return BaseState(pos, quat, vel, ang_vel)
        a, b, c = cross(ang_vel, (centre[0] - pos[0], centre[1] - pos[1], centre[2] - pos[2]))
        return BaseState(pos, quat, (vel[0] - a, vel[1] - b, vel[2] - c), ang_vel)


def _link_frame(centre: Pose, inertial: Pose) -> Pose:
    """Turn the pose of a centre-of-mass frame into that of its link's frame."""
    quat = multiply(centre[1], inverse(inertial[1]))
    arm = rotate(quat, inertial[0])
    return (centre[0][0] - arm[0], centre[0][1] - arm[1], centre[0][2] - arm[2]), quat


_TORQUE = pybullet.TORQUE_CONTROL
_set_motors, _step, _joint_states = (
    pybullet.setJointMotorControlArray,
    pybullet.stepSimulation,
    pybullet.getJointStates,
)
