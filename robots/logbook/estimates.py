"""What a run says of itself without a simulator: how late commands act, how noisy and how coarse its readings are."""

from __future__ import annotations

from math import sqrt

import numpy as np

from robots.logs import MAX_LAG, Log

THIRD = np.array([1.0, -3.0, 3.0, -1.0])
"""Third difference: blind to what is a parabola over four rows, so what is left is noise."""

DRY_VEL = 0.05
"""Velocity [rad/s] within which dry friction changes sign in the linear model."""

SMOOTHING, STEP, MOMENTS = 0.03, 0.002, 1500
"""Time over which velocity is differentiated [s], step between lags [s], and how many moments are looked at."""


def noise_sd(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of white noise on smooth columns `[rows, n]`, from their third differences.

    Robust: the median of absolute differences, so that a few jumps of the motion do not count.
    """
    differences = np.apply_along_axis(np.convolve, 0, values, THIRD, "valid")
    return 1.4826 * np.median(np.abs(differences), axis=0) / sqrt(float(np.sum(THIRD**2)))


def quantum(values: np.ndarray) -> float:
    """Return the step between readings `[rows]`: the smallest that most others are multiples of; 0 where none is."""
    steps = np.unique(np.round(np.abs(np.diff(np.unique(np.round(values, 10)))), 9))
    steps = steps[steps > 1e-8]
    if not len(steps):
        return 0.0
    ratio = steps / steps[0]
    whole = np.abs(ratio - np.round(ratio)) < 0.05
    return float(steps[0]) if whole.mean() > 0.9 and len(np.unique(values)) < 0.5 * len(values) else 0.0


def response_lag(log: Log, joint: int) -> tuple[float, float]:
    """Return the lag [s] at which commands explain a driven joint's acceleration best, and how distinctly.

    A linear model is fitted at each lag: all late commands, alone and turned by the joints' angles, both frictions,
    gravity and centrifugal terms of a chain. The second number is the share of the misfit at the worst lag that the
    best one removes, 0 to 1; it is 0 where the best is the longest lag tried.
    """
    lags = np.arange(0.0, MAX_LAG + STEP / 2, STEP)
    times = np.linspace(log.time[0] + lags[-1] + SMOOTHING, log.time[-1] - SMOOTHING, min(len(log.time), MOMENTS))
    after, before = _velocities(log, times + SMOOTHING / 2), _velocities(log, times - SMOOTHING / 2)
    pos = log.positions_at(times)
    basis = np.linalg.qr(_of_the_state(pos, 0.5 * (after + before)))[0]
    target = _beyond(basis, (after - before)[:, [joint]] / SMOOTHING)
    misfits = [_misfit(_commands(log, times - lag), np.cos(pos), basis, target) for lag in lags]
    best, worst = int(np.argmin(misfits)), max(misfits)
    seen = worst > 0 and best < len(lags) - 1
    return float(lags[best]), 1.0 - misfits[best] / worst if seen else 0.0


def _of_the_state(pos: np.ndarray, vel: np.ndarray) -> np.ndarray:
    """Columns that an acceleration may be made of without a command, `[rows, n]`."""
    chain = np.cumsum(pos, axis=1)
    squares = [vel[:, i] * vel[:, j] for i in range(vel.shape[1]) for j in range(i + 1)]
    spun = [square * np.sin(angle) for square in squares for angle in pos.T]
    columns = [vel, np.tanh(vel / DRY_VEL), np.sin(chain), np.cos(chain), np.sin(pos), np.cos(pos)]
    return np.column_stack([*columns, *spun, np.ones(len(pos))])


def _misfit(commands: np.ndarray, turns: np.ndarray, basis: np.ndarray, target: np.ndarray) -> float:
    """Sum of squares that the linear model leaves; `target` is already without what the state explains."""
    features = _beyond(basis, np.column_stack([commands, *[commands * turn[:, None] for turn in turns.T]]))
    solution = np.linalg.lstsq(features, target, rcond=1e-9)[0]
    return float(np.sum((features @ solution - target) ** 2))


def _beyond(basis: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values - basis @ (basis.T @ values)


def _commands(log: Log, times: np.ndarray) -> np.ndarray:
    """Commands averaged over the time that accelerations are taken over."""
    offsets = np.linspace(-SMOOTHING / 2, SMOOTHING / 2, 7)
    return log.commands_at(times[:, None] + offsets).mean(1)


def _velocities(log: Log, times: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(times, log.time, vel) for vel in log.joint_vel.T], -1)
