"""Logs whose truth is known: the simulator itself, with injected parameters, seen through imperfect sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from domain_rand.application import apply_values
from domain_rand.randomizer import Randomization
from robots.logs import Log
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec
from robots.task import Start

TONES = (0.31, 0.53, 0.97, 1.61, 2.7)
"""Frequencies of the excitation [Hz], no one a multiple of another."""


class Sensors(NamedTuple):
    """Noise of positions [rad] and velocities [rad/s], and the share of readings that repeat the one before."""

    pos_noise: float = 0.0
    vel_noise: float = 0.0
    dropout: float = 0.0


class Drive(NamedTuple):
    """Torques of a run, as shares of each joint's limit: tones, steps of random size, and a spring and a damper."""

    tones: float = 0.1
    steps: float = 0.1
    spring: float = 0.0
    damper: float = 0.0


PERFECT, GENTLE = Sensors(), Drive()


def simulated_log(
    spec: RobotSpec,
    randomization: Randomization,
    values: Mapping[str, float],
    seconds: float,
    sensors: Sensors = PERFECT,
    drive: Drive = GENTLE,
    seed: int = 0,
) -> Log:
    """Return a run of the robot in a world of these values, logged at its control rate.

    `randomization` is bound to the robot's joints here; `values` are of some of its entries.
    """
    rng = np.random.default_rng(seed)
    robot = SimulatedRobot(spec)
    try:
        apply_values(randomization.bind(robot).parameters, list(values), dict(values), robot)
        return _sensed(*_driven(robot, seconds, drive, rng), sensors, rng, f"simulated_{seed}")
    finally:
        robot.close()


def _driven(
    robot: SimulatedRobot, seconds: float, drive: Drive, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, joint positions and velocities `[rows, 2, joints]` (encoders), and commands `[rows, driven]`."""
    dt = robot.contract.control_dt
    time = dt * np.arange(round(seconds / dt))
    limits = np.array([joint.torque_limit for joint in robot.contract.joints])
    plan = _excitation(time, len(limits), drive, rng)
    offsets = np.array([actuator.encoder_offset for actuator in robot.bank.actuators])
    robot.start(Start(), rng)
    states, commands = [], []
    for row in plan:
        pos, vel = np.array(robot.world.joint_pos), np.array(robot.world.joint_vel)
        states.append([pos + offsets, vel])
        held = row - drive.spring * pos[: len(limits)] - drive.damper * vel[: len(limits)]
        commands.append(robot.step((np.clip(held, -1, 1) * limits).tolist()))
    return time, np.array(states), np.array(commands)


def _excitation(time: np.ndarray, joints: int, drive: Drive, rng: np.random.Generator) -> np.ndarray:
    """Shares of the torque limit `[rows, joints]`: tones of random phase and steps that last 0.3 to 0.8 s."""
    phases = rng.uniform(0, 2 * np.pi, (joints, len(TONES)))
    tones = np.sin(2 * np.pi * np.multiply.outer(time, TONES)[:, None] + phases).mean(-1)
    ends = np.cumsum(rng.uniform(0.3, 0.8, 4 * len(time)))
    levels = rng.uniform(-1, 1, (len(ends), joints))
    return drive.tones * 2 * tones + drive.steps * levels[np.searchsorted(ends, time)]


def _sensed(
    time: np.ndarray,
    states: np.ndarray,
    commands: np.ndarray,
    sensors: Sensors,
    rng: np.random.Generator,
    name: str,
) -> Log:
    noisy = states + rng.standard_normal(states.shape) * np.array([[sensors.pos_noise], [sensors.vel_noise]])
    lost = rng.random(len(time)) < sensors.dropout
    last = np.maximum.accumulate(np.where(lost, 0, np.arange(len(time))))
    return Log(name, time, noisy[last, 0], noisy[last, 1], commands)
