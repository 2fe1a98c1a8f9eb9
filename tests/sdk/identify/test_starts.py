"""Noise of first readings: its effects in closed form, and intervals that are right only where it is counted."""

from __future__ import annotations

import numpy as np
import pytest

from robots.identification.segments import Run, Segments, cut
from sdk.identify.estimate import Readings, covariances, polish
from sdk.identify.posterior import spread
from sdk.identify.starts import moved, own, reading_noise, start_effects, unexplained
from tests.domain_rand.narrowing.linear_world import uniform_prior
from tests.robots.logbook.sine_log import sine_log

PRIOR = uniform_prior(a=(1.0, 2.0))
TRUTH = 0.4


def drifting(segments: Segments) -> np.ndarray:
    """Outputs of joints that keep their first velocity: `[n, checks · joints]`."""
    (rows,), (run,) = segments.rows, segments.runs
    pos, vel = run.log.joint_pos[rows, None], run.log.joint_vel[rows, None]
    return (pos + segments.after[:, None] * vel).reshape(len(rows), -1)


def test_effects_of_first_readings_are_their_slopes_times_their_noise() -> None:
    segments = cut([Run(sine_log(4.0))], 0.3, 0.005)
    found = start_effects(drifting, segments, np.array([0.1, 0.2, 0.3, 0.4]))
    assert found.shape == (len(segments.began), 6, 4)
    after = segments.after
    for check in range(3):
        for joint in range(2):
            expected = np.zeros(4)
            expected[joint], expected[2 + joint] = (0.1, 0.2)[joint], after[check] * (0.3, 0.4)[joint]
            assert found[5, 2 * check + joint] == pytest.approx(expected)
    assert own(found)[0] == pytest.approx(found[0] @ found[0].T)


def test_a_start_is_moved_alone_and_what_it_is_compared_with_stays() -> None:
    segments = cut([Run(sine_log(4.0))], 0.3, 0.005)
    there = moved(segments, 3, 0.5)
    assert there.runs[0].log.joint_vel - segments.runs[0].log.joint_vel == pytest.approx(np.tile([0.0, 0.5], (800, 1)))
    assert np.array_equal(there.runs[0].log.joint_pos, segments.runs[0].log.joint_pos)
    assert np.array_equal(there.target, segments.target)


def test_noise_is_that_of_the_readings() -> None:
    segments = cut([Run(sine_log(8.0, noise=(0.002, 0.03), seed=s)) for s in (0, 1)], 0.3, 0.005)
    assert reading_noise(segments) == pytest.approx([0.002, 0.002, 0.03, 0.03], rel=0.15)


def test_what_starts_do_not_explain_is_left_and_never_less_than_the_readings_own_noise() -> None:
    effects = np.array([[[3.0], [0.0]]])
    moments = np.array([[10.0, 0.5], [0.5, 2.0]])
    assert unexplained(moments, effects, np.zeros(2)) == pytest.approx(np.array([[1.0, 0.5], [0.5, 2.0]]))
    known_too_well = unexplained(np.diag([4.0, 2.0]), effects, np.array([0.3, 0.3]))
    assert known_too_well == pytest.approx(np.diag([0.3, 2.0]))
    along_one_line = unexplained(np.array([[2.0, 2.0], [2.0, 2.0]]), 0 * effects, np.array([0.3, 0.3]))
    assert np.linalg.eigvalsh(along_one_line).min() == pytest.approx(0.3)


def loud_and_quiet(seed: int) -> tuple[np.ndarray, np.ndarray, Readings]:
    """Slopes and targets of thirty segments that tell little under little noise, and ten that tell much under much."""
    rng = np.random.default_rng(seed)
    loud = (np.arange(40) < 10)[:, None]
    slopes = np.where(loud, 1.0, 0.05)
    effects = np.where(loud, 0.3, 0.0)
    noise = effects * rng.standard_normal((40, 1)) + 0.02 * rng.standard_normal((40, 1))
    return slopes, TRUTH * slopes + noise, Readings(effects[..., None], np.array([0.02**2]))


def covered(counted: bool) -> float:
    hits = []
    for seed in range(200):
        slopes, target, readings = loud_and_quiet(seed)
        found = polish(
            lambda points, slopes=slopes: points[:, None] * slopes,
            target,
            np.array([0.5]),
            PRIOR.names,
            0.02,
            readings=readings if counted else None,
        )
        hits.append(abs(found.point[0] - TRUTH) <= 1.645 * np.sqrt(spread(found)[0, 0]))
    return float(np.mean(hits))


def test_intervals_are_right_where_noise_of_starts_is_counted_and_too_narrow_where_it_is_not() -> None:
    assert 0.85 <= covered(counted=True) <= 0.97
    assert covered(counted=False) < 0.8


def test_covariances_without_readings_are_the_same_for_all() -> None:
    errors = np.random.default_rng(0).standard_normal((50, 2))
    whole, rest = covariances(errors, None)
    assert np.array_equal(whole, rest)
    assert covariances(errors, None, fitted=20)[0] == pytest.approx(whole * 50 / 40, rel=1e-6)
