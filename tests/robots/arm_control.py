"""Kinematics of a simulated arm by finite differences, and scripted controllers that know nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robots.bullet.world import BulletWorld
from robots.contract import Contract
from robots.robot_env import RobotEnv
from robots.rotation import rotate
from robots.spec import RobotSpec, urdf_path
from robots.tasks.push import PushEpisode

EPS = 1e-4
DOWN = (0.0, 0.0, -1.0)


class Arm:
    """A second copy of the robot, posed at will to ask where the tool would be."""

    def __init__(self, spec: RobotSpec, tool: str) -> None:
        model = spec.model.model_copy(update={"objects": {}, "floor": False})
        self._world = BulletWorld(urdf_path(spec), model, spec.joint_names, spec.folder)
        self._passive = list(spec.model.passive_joints.values())
        self.tool_link = tool
        self.limits = np.array(spec.contract.command_limits).T

    def tool(self, joint_pos: np.ndarray) -> np.ndarray:
        """Position of the tool [m] and direction of its z axis, `[6]`, world."""
        pose = [*joint_pos, *self._passive]
        self._world.reset(pose, [0.0] * len(pose))
        pos, quat = self._world.link_pose(self.tool_link)
        return np.array([*pos, *rotate(quat, (0.0, 0.0, 1.0))])

    def jacobian(self, joint_pos: np.ndarray) -> np.ndarray:
        """Derivative of `tool` by the joints, `[6, joints]`."""
        here = self.tool(joint_pos)
        return np.array([(self.tool(joint_pos + step) - here) / EPS for step in EPS * np.eye(len(joint_pos))]).T

    def towards(self, joint_pos: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Damped least-squares step towards the wanted tool `[3]` or, with its z axis, `[6]`."""
        rows = len(wanted)
        jacobian = self.jacobian(joint_pos)[:rows]
        error = wanted - self.tool(joint_pos)[:rows]
        return np.clip(jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(rows), error), -0.3, 0.3)

    def solve(self, joint_pos: np.ndarray, wanted: np.ndarray, rounds: int = 60) -> tuple[np.ndarray, float]:
        """Return a pose within the command limits and how far its tool is from the wanted position [m]."""
        for _ in range(rounds):
            joint_pos = np.clip(joint_pos + self.towards(joint_pos, wanted), *self.limits)
            error = self.tool(joint_pos)[: len(wanted)] - wanted
            if np.abs(error).max() < 1e-3:
                break
        return joint_pos, float(np.linalg.norm(error[:3]))

    def close(self) -> None:
        """Release the simulator."""
        self._world.close()


def action_for(contract: Contract, command: Sequence[float] | np.ndarray) -> np.ndarray:
    """The action that commands these joint positions [rad]."""
    action = (np.asarray(command) - contract.action.offset) / contract.action.scale
    return np.clip(action, -1, 1).astype(np.float32)


class Servo:
    """Move the tool where it is told: commands from kinematics, and a slow correction for what the drives lack."""

    def __init__(self, env: RobotEnv, arm: Arm) -> None:
        self._env, self._arm = env, arm
        self._plan = np.array(env.robot.view.joint_pos)
        self._correction = np.zeros(len(self._plan))

    def action(self, wanted: np.ndarray, max_step: float = 0.03) -> np.ndarray:
        """Action of the next period for a tool at `[3]`, or `[6]` with its z axis; steps in rad."""
        change = np.clip(self._arm.towards(self._plan, wanted), -max_step, max_step)
        self._plan = np.clip(self._plan + change, *self._arm.limits)
        behind = self._plan - np.array(self._env.robot.view.joint_pos)
        self._correction = np.clip(self._correction + 0.05 * behind, -0.1, 0.1)
        return action_for(self._env.contract, self._plan + self._correction)


class Pusher:
    """Where a tool that points down goes next to push a disc: above its far side, down, then through its middle."""

    def __init__(self, episode: PushEpisode, contact: float, height: float) -> None:
        self._goal = np.array(episode.command_signals(0, None)["object_pos_goal"])
        self._contact, self._height = contact, height
        self._phase = "above"

    def wanted(self, puck: np.ndarray, tool: np.ndarray) -> np.ndarray:
        """Return the tool `[6]` wanted next, for the disc at `[2]` and the tool at `[3]` [m, world]."""
        to_goal = self._goal - puck
        distance = float(np.linalg.norm(to_goal))
        ahead = to_goal / max(distance, 1e-9)
        behind = puck - (self._contact + 0.03) * ahead
        self._phase = self._next(
            distance, tool, behind, abs(ahead[0] * (tool[1] - puck[1]) - ahead[1] * (tool[0] - puck[0]))
        )
        inside = self._contact - 0.035
        return np.array(
            {
                "above": [*behind, self._height + 0.12, *DOWN],
                "down": [*behind, self._height, *DOWN],
                "push": [*(puck - inside * ahead), self._height, *DOWN],
                "done": [*tool[:2], self._height + 0.12, *DOWN],
            }[self._phase]
        )

    @property
    def max_step(self) -> float:
        """How far joints may move in a period [rad]: gently while touching, so that the disc does not fly."""
        return 0.01 if self._phase == "push" else 0.03

    def _next(self, distance: float, tool: np.ndarray, behind: np.ndarray, aside: float) -> str:
        if distance < 0.03 or self._phase == "done":
            return "done"
        if self._phase == "above" and np.linalg.norm(tool[:2] - behind) < 0.02:
            return "down"
        if self._phase == "down" and tool[2] < self._height + 0.02:
            return "push"
        return "above" if self._phase == "push" and aside > 0.04 else self._phase
