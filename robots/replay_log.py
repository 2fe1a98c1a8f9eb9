"""How well a simulated robot foretells a real one: from each recorded state, a short time ahead, under its commands.

A run is cut into segments as long as the horizon. Each begins in the measured state, is driven by the recorded commands
(held between their irregular stamps, late by the delay, clipped by the drive) and ends in a prediction of the joints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain_rand.schema import ConfigError
from robots.logs import MAX_LAG, Log
from robots.simulated import SimulatedRobot


@dataclass(frozen=True)
class Prediction:
    """The end of each segment of one run, `[segments, joints]` [rad]: foretold, measured, and where it began."""

    run: str
    foretold: np.ndarray
    measured: np.ndarray
    began: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """What was foretold, less what was measured [rad]."""
        return self.foretold - self.measured

    @property
    def stillness_error(self) -> np.ndarray:
        """The error of foretelling no motion at all [rad]: what any model must beat."""
        return self.began - self.measured


def rmse(errors: Sequence[np.ndarray]) -> list[float]:
    """Return the root mean square over all segments of all runs, per joint."""
    return np.sqrt(np.mean(np.concatenate(list(errors)) ** 2, axis=0)).tolist()


def segment_rows(log: Log, horizon: float, apart: float = 0.0) -> np.ndarray:
    """Return the rows where segments of `horizon` [s] begin, `apart` [s], with a past that any delay may ask for.

    Raises `ConfigError` for a run too short for one.
    """
    starts = np.arange(log.time[0] + MAX_LAG, log.time[-1] - horizon, horizon + apart)
    if not len(starts):
        raise ConfigError(f"{log.name}: {np.ptp(log.time):.3g} s are too short for a horizon of {horizon:g} s")
    return np.searchsorted(log.time, starts)


def beyond_limits(log: Log, robot: SimulatedRobot) -> float | None:
    """Return the largest command [N·m] of a run that no contract-abiding controller sent; None where all abide."""
    limits = np.array([high for _, high in robot.contract.command_limits])
    beyond = np.abs(log.command).max(0)
    return float(beyond.max()) if (beyond > limits).any() else None


def predict(robot: SimulatedRobot, log: Log, horizon: float, delay: float) -> Prediction:
    """Foretell every segment of a run, with the robot's parameters as they stand and this command delay [s].

    The delay replaces that of the robot's drives, which comes back. Raises `ConfigError` unless all joints are driven
    by torque.
    """
    _check(robot)
    rows = segment_rows(log, horizon)
    steps = round(horizon / robot.physics_dt)
    times = log.time[rows, None] + robot.physics_dt * np.arange(steps) - delay
    ends = log.time[rows] + steps * robot.physics_dt
    drives = robot.bank.actuators
    held = [drive.delay for drive in drives]
    try:
        for drive in drives:
            drive.delay = 0.0
        states = zip(log.joint_pos[rows].tolist(), log.joint_vel[rows].tolist(), strict=True)
        foretold = [
            _end(robot, *state, commands) for state, commands in zip(states, log.commands_at(times), strict=True)
        ]
    finally:
        for drive, value in zip(drives, held, strict=True):
            drive.delay = value
    return Prediction(log.name, np.array(foretold), log.positions_at(ends), log.joint_pos[rows])


def predict_runs(
    robot: SimulatedRobot,
    logs: Sequence[Log],
    horizon: float,
    delay: float,
    report: Callable[[int], None] = lambda _: None,
) -> list[Prediction]:
    """Foretell all runs; `report` is told how many are finished."""
    predictions = []
    for log in logs:
        predictions.append(predict(robot, log, horizon, delay))
        report(len(predictions))
    return predictions


def _end(robot: SimulatedRobot, joint_pos: list[float], joint_vel: list[float], commands: np.ndarray) -> list[float]:
    """Where the joints are after these commands `[physics steps, joints]` [rad]."""
    world, bank = robot.world, robot.bank
    world.reset(joint_pos, joint_vel)
    bank.start(commands[0].tolist())
    for command in commands.tolist():
        bank.hold(command, 1)
        world.step(bank.torque(world.states))
    return world.joint_pos


def _check(robot: SimulatedRobot) -> None:
    contract = robot.contract
    if contract.action.mode != "torque":
        raise ConfigError(f"{contract.robot}: commands are {contract.action.mode}s; only torques can be replayed")
    if len(robot.world.joint_names) != len(contract.joints):
        passive = ", ".join(robot.world.joint_names[len(contract.joints) :])
        raise ConfigError(f"{contract.robot}: logs say nothing about {passive}; choose a task that drives every joint")
