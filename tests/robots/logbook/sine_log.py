"""A pendulum's run whose truth is known: sines of torque, held commands `lag` late, white noise on both readings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robots.contract import Joint
from robots.logbook.checks import Machine
from robots.logs import Log

JOINT = Joint(name="shoulder", pos_limit=(-6.0, 6.0), vel_limit=20.0, torque_limit=5.0)
ELBOW = Joint(name="elbow", pos_limit=(-6.0, 6.0), vel_limit=20.0, torque_limit=5.0)
ARM = Machine(("shoulder", "elbow"), (JOINT, ELBOW), (5.0, 5.0))
RAD = (0.0, 0.0)


def sine_log(
    seconds: float = 6.0, dt: float = 0.005, lag: float = 0.0, noise: Sequence[float] = RAD, seed: int = 0
) -> Log:
    """Two joints that do not feel each other: q̈ = 4·u(t − lag) − 20·sin q − 0.4·q̇."""
    rng = np.random.default_rng(seed)
    fine, rows = 5, round(seconds / dt)
    time = dt * np.arange(rows)
    command = np.stack([_chirp(time, 5.0, 0.0), _chirp(time, 7.0, 1.0)], -1)
    pos, vel = np.array([0.1, -0.2]), np.zeros(2)
    states = []
    for row in range(rows):
        states.append((pos, vel))
        for part in range(fine):
            due = int(np.floor((time[row] + part * dt / fine - lag) / dt + 1e-9))
            vel = vel + dt / fine * (4 * command[max(due, 0)] - 20 * np.sin(pos) - 0.4 * vel)
            pos = pos + dt / fine * vel
    positions, velocities = (np.array(values) for values in zip(*states, strict=True))
    positions = positions + noise[0] * rng.standard_normal(positions.shape)
    velocities = velocities + noise[1] * rng.standard_normal(velocities.shape)
    return Log("sines", time, positions, velocities, command)


def _chirp(time: np.ndarray, rate: float, phase: float) -> np.ndarray:
    return 2.0 * np.sign(np.sin(rate * time + phase)) + np.sin((rate + time) * time)
