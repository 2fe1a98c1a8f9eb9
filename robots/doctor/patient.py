"""The robot under examination: its files, and simulations of it that are made when first asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from domain_rand.randomizer import Randomization
from robots.bullet.silence import silence
from robots.bullet.world import BulletWorld
from robots.contract import Mode
from robots.robot_env import RobotEnv
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec, load_robot, robot_folder, urdf_path
from robots.urdf import Urdf, read_urdf


class Patient:
    """Opens a robot's files; raises `ConfigError` for a folder that cannot be read at all."""

    def __init__(self, robot: str, task: str | None = None) -> None:
        self.name, self.task = robot, task
        self.source = str(robot_folder(robot) / "robot.yaml")
        self.spec: RobotSpec
        self.randomization: Randomization
        self.spec, self.randomization = load_robot(robot, task)
        self.model_file: Path = urdf_path(self.spec)
        self.urdf: Urdf | None = None if self.model_file.suffix == ".xml" else read_urdf(self.model_file)

    @property
    def mode(self) -> Mode:
        return self.spec.contract.action.mode

    @property
    def robot(self) -> SimulatedRobot:
        """The robot without a task around it."""
        return self.env.robot

    @property
    def world(self) -> BulletWorld:
        """The robot as PyBullet has loaded it, whichever engine its folder names."""
        world = self.robot.world
        assert isinstance(world, BulletWorld)
        return world

    @cached_property
    def env(self) -> RobotEnv:
        with silence():  # what PyBullet complains about is found in the files
            return RobotEnv(self.name, task=self.task, engine="pybullet")

    def close(self) -> None:
        """Release the simulator, if there is one."""
        if "env" in self.__dict__:
            self.env.close()
