"""The neural posterior on a linear simulator, against draws of the exact one; what needs no library is exact."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.identify.neural import box, compressed, crowded, learnt, neural, require_sbi, sampled
from sdk.identify.posterior import spread
from sdk.identify.settings import Settings
from tests.sdk.identify.test_estimate import PRIOR, at, data, exact, predict

MATRIX, SD = np.array([[1.0, 0.5], [0.0, 1.0]]), 0.15
EDGES = np.zeros(2), np.ones(2)


def test_compression_is_the_least_squares_estimate_of_a_linear_simulator() -> None:
    target = data(0)
    found = at(target)
    other = data(1)
    best = np.linalg.solve(
        found.fisher,
        np.einsum("nip,ij,nj->p", found.slopes.slopes, np.linalg.inv(found.covariance), other),
    )
    assert found.point + compressed(other[None], found)[0] == pytest.approx(best, abs=0.01)


def test_the_box_lies_around_the_estimate_and_within_the_prior() -> None:
    found = at(data(0))
    low, high = box(found)
    assert (low < found.point).all()
    assert (high > found.point).all()
    assert high - low == pytest.approx(10 * np.sqrt(np.diagonal(spread(found))))
    edge = found._replace(point=np.array([0.001, 0.999]))
    assert box(edge)[0][0] == 0
    assert box(edge)[1][1] == 1


def test_draws_that_crowd_at_an_end_are_told_unless_it_is_the_priors() -> None:
    points = np.stack([np.full(100, 0.3), np.linspace(0.0, 0.01, 100)], -1)
    low, high = np.array([0.3, 0.0]), np.array([0.6, 0.6])
    assert crowded(points, low, high, ("a", "b")) == (
        "the neural posterior of a reaches the end of the worlds simulated",
    )


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sbi", None)
    with pytest.raises(ConfigError, match=r"needs 'sbi': pip install 'simshift\[identify\]'"):
        require_sbi()


@pytest.fixture(scope="module")
def flow() -> Any:
    """The posterior density of y = Aθ + noise, θ uniform, learnt once for all measurements."""
    pytest.importorskip("sbi", reason="a neural posterior needs sbi, of the extra 'identify'")
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(4000, 2))
    return learnt(points, points @ MATRIX.T + SD * rng.standard_normal((4000, 2)), EDGES, 0)


def truncated(measured: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the exact posterior: a Gaussian cut at the prior's ends."""
    covariance = SD**2 * np.linalg.inv(MATRIX.T @ MATRIX)
    points = rng.multivariate_normal(np.linalg.solve(MATRIX, measured), covariance, 400 * count)
    return points[((points >= 0) & (points <= 1)).all(1)][:count]


@pytest.mark.learning
@pytest.mark.parametrize("theta", [(0.5, 0.5), (0.03, 0.95)])
def test_a_classifier_cannot_tell_it_from_the_exact_posterior(flow: Any, theta: tuple[float, float]) -> None:
    from sbi.utils.metrics import c2st
    from torch import tensor

    rng = np.random.default_rng(1)
    measured = MATRIX @ theta + 0.5 * SD
    found, right = sampled(flow, measured, 1000, 0), truncated(measured, 1000, rng)
    assert found.min() >= 0
    assert found.max() <= 1
    assert 0.4 <= float(c2st(tensor(found), tensor(right))) <= 0.6
    assert float(c2st(tensor(rng.uniform(size=(1000, 2))), tensor(right))) > 0.75  # the prior is told apart


@pytest.mark.learning
def test_its_intervals_cover_at_their_rate(flow: Any) -> None:
    rng = np.random.default_rng(2)
    hits = []
    for _ in range(200):
        theta = rng.uniform(size=2)
        points = sampled(flow, MATRIX @ theta + SD * rng.standard_normal(2), 300, 0)
        low, high = np.quantile(points, [0.05, 0.95], axis=0)
        hits.append((low <= theta) & (theta <= high))
    assert 0.85 <= np.mean(hits) <= 0.95


@pytest.mark.learning
def test_a_few_hundred_simulations_give_the_exact_mean_and_spread() -> None:
    pytest.importorskip("sbi", reason="a neural posterior needs sbi, of the extra 'identify'")
    target = data(0)
    mean, covariance = exact(target)
    found = neural(predict, target, PRIOR, at(target), Settings(method="npe", simulations=400, particles=1000))
    sd = np.sqrt(np.diagonal(covariance))
    assert not found.warnings
    assert (np.abs(found.points.mean(0) - mean) < 0.5 * sd).all()
    assert found.points.std(0) == pytest.approx(sd, rel=0.35)
