"""Foretell segments with a simulated robot whose parameters have given values: the model that logs are explained by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from domain_rand.application import apply_values, restore
from domain_rand.distributions import Choice
from domain_rand.entries import Entry
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots.identification.segments import Segments, mean_commands
from robots.logs import Log
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec

WORLD_FIELDS = ("gravity", "slope_x", "slope_y")
JOINT_FIELDS_LEFT_OUT = ("locked",)


def moves_joints(entry: Entry) -> bool:
    """Whether an entry may be identified: drawn with the world, continuous, and felt by joints within a segment."""
    if entry.when != "task" or isinstance(entry.draw, Choice):
        return False
    group, field = entry.row.group, entry.row.field
    return (
        group == "link"
        or (group == "joint" and field not in JOINT_FIELDS_LEFT_OUT)
        or (group == "world" and field in WORLD_FIELDS)
    )


def identifiable(randomization: Randomization) -> tuple[str, ...]:
    """Return the names of a bound randomization that segments can tell about, in order."""
    return tuple(name for name in randomization.names if moves_joints(randomization.parameters[name]))


class Predictor:
    """One simulated robot that foretells; parameters that are not given a value stay as its files say."""

    def __init__(self, spec: RobotSpec, randomization: Randomization) -> None:
        """Raise `ConfigError` for a robot whose base floats: logs of joints say nothing about it."""
        if not spec.model.fixed_base:
            raise ConfigError(f"{spec.contract.robot}: the base floats, and a log of joints does not say where it is")
        self.robot = SimulatedRobot(spec)
        self.randomization = randomization.bind(self.robot)
        self.dt = self.robot.physics_dt
        self._changed: set[str] = set()

    def __call__(self, values: Mapping[str, float], segments: Segments) -> np.ndarray:
        """Return positions foretold for every segment, `[n, checks · joints]` [rad], in worlds of these values."""
        restore(self.randomization.parameters, sorted(self._changed - set(values)), self.robot)
        self._changed = set(values)
        parts = []
        for run, rows in zip(segments.runs, segments.rows, strict=True):
            known = {name: run.factors.get(name, 1.0) * value for name, value in values.items()}
            apply_values(self.randomization.parameters, list(known), known, self.robot)
            steps = np.round(segments.after / self.dt).astype(int).tolist()
            parts.append(
                self._run(run.log.time[rows], run.log.joint_pos[rows], run.log.joint_vel[rows], run.log, steps)
            )
        return np.concatenate(parts)

    def _run(self, times: np.ndarray, pos: np.ndarray, vel: np.ndarray, log: Log, steps: list[int]) -> np.ndarray:
        drives = self.robot.bank.actuators
        offsets = np.array([drive.encoder_offset for drive in drives])
        delays = [drive.delay for drive in drives]
        commands = self._late(log, times, steps[-1], delays)
        try:
            for drive in drives:
                drive.delay = 0.0
            starts = zip((pos - offsets).tolist(), vel.tolist(), commands.tolist(), strict=True)
            foretold = [_passed(self.robot, *start, steps) for start in starts]
        finally:
            for drive, delay in zip(drives, delays, strict=True):
                drive.delay = delay
        return (np.array(foretold).reshape(len(times), len(steps), -1) + offsets).reshape(len(times), -1)

    def _late(self, log: Log, times: np.ndarray, steps: int, delays: Sequence[float]) -> np.ndarray:
        """Commands `[n, steps, driven]` as they act, each joint's as late as its own drive makes it."""
        when = times[:, None] + self.dt * np.arange(steps)
        driven = len(self.robot.contract.joints)
        if not log.command.shape[1]:
            return np.broadcast_to(self.robot.limiter.last, (*when.shape, driven))
        late = {delay: mean_commands(log, when - delay, self.dt) for delay in set(delays[:driven])}
        return np.stack([late[delay][..., j] for j, delay in enumerate(delays[:driven])], -1)

    def close(self) -> None:
        """Release the simulator."""
        self.robot.close()


def _passed(
    robot: SimulatedRobot,
    pos: list[float],
    vel: list[float],
    commands: list[list[float]],
    steps: list[int],
) -> list[list[float]]:
    """Positions after some of these physics steps [rad]."""
    world, bank = robot.world, robot.bank
    world.reset(pos, vel)
    bank.start(commands[0])
    passed, reached = [], 0
    for end in steps:
        for command in commands[reached:end]:
            bank.hold(command, 1)
            world.step(bank.torque(world.states))
        reached = end
        passed.append(world.joint_pos)
    return passed
