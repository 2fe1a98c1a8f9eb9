"""The posterior against the conjugate Gaussian: mean, spread, coverage, and what it must never do."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.narrowing.prior import UNIFORM_SD, Prior
from domain_rand.narrowing.reweighting import (
    Gaussian,
    Particles,
    effective_share,
    fitted,
    jittered,
    posterior,
    reflected,
    resampled,
    tempered,
)
from tests.domain_rand.narrowing.linear_world import Line, line, uniform_prior

PRIOR = uniform_prior(a=(0.5, 9.5))


def narrowed(data: Line, seed: int, count: int = 200, start: Gaussian | None = None, prior: Prior = PRIOR) -> Particles:
    rng = np.random.default_rng(seed)
    return posterior(lambda points: data.log_likelihood(prior, points), prior, rng, start, count)


def thetas(found: Particles, prior: Prior = PRIOR) -> np.ndarray:
    return np.array([prior.values(point)["a"] for point in found.points])


def test_mean_and_spread_are_those_of_the_conjugate_posterior() -> None:
    for seed in range(10):
        data = line(3.5, seed)
        values = thetas(narrowed(data, seed, count=400))
        assert abs(values.mean() - data.mean) < 0.3 * data.sd
        assert 0.85 < values.std() / data.sd < 1.15


@pytest.mark.parametrize("informed", [False, True])
def test_ninety_percent_intervals_cover_the_truth_at_their_rate(informed: bool) -> None:
    rng = np.random.default_rng(7)
    hits = []
    for seed in range(200):
        truth = rng.uniform(2.0, 8.0)
        data = line(truth, seed)
        guess = Gaussian(PRIOR.point({"a": data.mean}), np.array([[(1.5 * data.sd / 9.0) ** 2]]))
        low, high = np.quantile(thetas(narrowed(data, seed, 100, guess if informed else None)), [0.05, 0.95])
        hits.append(low <= truth <= high)
    assert 0.85 <= np.mean(hits) <= 0.95


def test_spread_falls_with_the_root_of_the_data() -> None:
    spreads = [thetas(narrowed(line(3.5, 1, count), 1, 400)).std() for count in (5, 20, 80)]
    assert spreads[0] / spreads[1] == pytest.approx(2.0, rel=0.25)
    assert spreads[1] / spreads[2] == pytest.approx(2.0, rel=0.25)


def test_the_support_is_never_left_even_where_the_truth_lies_outside() -> None:
    found = narrowed(line(12.0, 0), 0)
    assert found.points.min() >= 0
    assert found.points.max() <= 1
    assert thetas(found).min() > 8.5
    assert thetas(found).max() <= 9.5


def test_data_that_tell_nothing_leave_the_prior() -> None:
    found = posterior(lambda points: np.zeros(len(points)), PRIOR, np.random.default_rng(0), count=1000)
    assert found.effective == pytest.approx(1.0)
    assert found.points.mean() == pytest.approx(0.5, abs=0.03)
    assert found.points.std() == pytest.approx(UNIFORM_SD, rel=0.05)


def test_a_ridge_keeps_its_correlation() -> None:
    prior = uniform_prior(a=(1.0, 2.0), b=(1.0, 2.0))

    def log_likelihood(points: np.ndarray) -> np.ndarray:
        return -0.5 * ((points[:, 0] - points[:, 1]) / 0.02) ** 2

    found = posterior(log_likelihood, prior, np.random.default_rng(0), count=500, rounds=12)
    assert np.corrcoef(found.points, rowvar=False)[0, 1] > 0.98
    assert found.points.std(0).min() > 0.7 * UNIFORM_SD


def test_a_handful_of_particles_that_count_is_not_taken_for_certainty() -> None:
    """One round cannot find a peak a thousandth wide: what is returned stays wide, and says how little counted."""
    found = posterior(
        lambda points: -0.5 * ((points[:, 0] - 0.5) / 1e-4) ** 2, PRIOR, np.random.default_rng(0), count=100, rounds=1
    )
    assert found.effective < 0.02
    assert found.points.std() > 0.01


def test_weights_are_tempered_to_the_share_asked_for() -> None:
    weights = -(np.linspace(0, 30, 100) ** 2)
    assert effective_share(weights) < 0.05
    assert effective_share(tempered(weights, 0.3)) == pytest.approx(0.3, abs=1e-3)
    assert np.array_equal(tempered(np.zeros(9)), np.zeros(9))


def test_jitter_keeps_mean_and_covariance() -> None:
    rng = np.random.default_rng(0)
    points = 0.5 + rng.standard_normal((4000, 2)) @ np.array([[0.05, 0.03], [0.0, 0.02]])
    before, after = fitted(points, np.full(4000, 1 / 4000)), fitted(jittered(points, 0.5, rng), np.full(4000, 1 / 4000))
    assert after[0] == pytest.approx(before[0], abs=2e-3)
    assert after[1] == pytest.approx(before[1], abs=2e-4)
    assert reflected(np.array([-0.1, 0.4, 1.3])) == pytest.approx([0.1, 0.4, 0.7])


def test_resampling_is_by_weight() -> None:
    points = np.arange(4.0)[:, None]
    chosen = resampled(points, np.array([0.5, 0.25, 0.25, 0.0]), 100, np.random.default_rng(0))
    assert np.bincount(chosen[:, 0].astype(int), minlength=4) == pytest.approx([50, 25, 25, 0], abs=1)


def test_a_sampling_distribution_outside_the_cube_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the prior's support"):
        Gaussian(np.array([50.0]), np.array([[1e-4]])).draw(10, np.random.default_rng(0))
