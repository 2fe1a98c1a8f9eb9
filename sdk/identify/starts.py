"""What readings of a segment's first state, wrong by the sensors' noise, do to what is foretold of it.

A segment is foretold from a measured position and velocity. Their errors grow along it, more where the robot moves
freely than where friction holds it: one covariance for all segments would trust those that tell most too much.

    e = y(θ, x₀ + δ) − measured,  δ ~ N(0, P)        `reading_noise`
    Cov e = Q + S P Sᵀ,  S = ∂y/∂x₀                  `start_effects`, `covariances`

Q is what is left of the errors' second moments, at least the noise of the measured positions themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robots.identification.segments import Run, Segments
from robots.logbook.estimates import noise_sd

LEAST = 1e-6
"""Smallest step of a reading [rad, rad/s]: readings without noise have effects too small to matter."""


def reading_noise(segments: Segments) -> np.ndarray:
    """Return the standard deviations of positions [rad], then of velocities [rad/s], `[2 · joints]`, over all runs."""
    each = [np.concatenate([noise_sd(run.log.joint_pos), noise_sd(run.log.joint_vel)]) for run in segments.runs]
    return np.sqrt(np.mean(np.square(each), axis=0))


def start_effects(simulate: Callable[[Segments], np.ndarray], segments: Segments, noise: np.ndarray) -> np.ndarray:
    """Return what one standard deviation of each first reading does to outputs, `[n, outputs, 2 · joints]`.

    `simulate` returns outputs `[n, outputs]`. Differences are central and as wide as the noise, so that friction near
    rest counts with what noise makes of it.
    """
    steps = np.maximum(noise, LEAST)
    effects = [
        0.5 * (simulate(moved(segments, i, step)) - simulate(moved(segments, i, -step)))
        for i, step in enumerate(steps.tolist())
    ]
    return np.stack(effects, -1)


def moved(segments: Segments, reading: int, by: float) -> Segments:
    """Return segments that start `by` [rad, rad/s] from where they were measured; what they are compared with stays."""
    return replace(segments, runs=tuple(_moved(run, reading, by) for run in segments.runs))


def _moved(run: Run, reading: int, by: float) -> Run:
    joints = run.log.joint_pos.shape[1]
    field, joint = ("joint_pos", reading) if reading < joints else ("joint_vel", reading - joints)
    return replace(run, log=replace(run.log, **{field: getattr(run.log, field) + by * (np.arange(joints) == joint)}))


def unexplained(moments: np.ndarray, effects: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Return Q `[outputs, outputs]`: moments of errors less what starts explain, in no direction below the floor.

    `floor` `[outputs]` are the variances that measured positions have by themselves.
    """
    values, axes = np.linalg.eigh(moments - np.mean(own(effects), axis=0) - np.diag(floor))
    return np.diag(floor) + (axes * np.maximum(values, 0.0)) @ axes.T


def own(effects: np.ndarray) -> np.ndarray:
    """Return S P Sᵀ of each segment, `[n, outputs, outputs]`."""
    return np.einsum("nis,njs->nij", effects, effects)
