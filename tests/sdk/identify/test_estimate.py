"""The estimate and the three posteriors on a linear simulator, where all of it has a closed form."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from domain_rand.narrowing.information import inform
from domain_rand.narrowing.prior import UNIFORM_SD
from domain_rand.narrowing.simopt import kl_gaussians
from sdk.identify.estimate import (
    Estimate,
    Slopes,
    covariance_of,
    log_likelihood,
    minimise,
    misfit,
    polish,
    sensitivity,
)
from sdk.identify.posterior import Posterior, likeliest, reweighted, spread, stepped
from sdk.identify.settings import Settings
from tests.domain_rand.narrowing.linear_world import uniform_prior

PRIOR = uniform_prior(a=(1.0, 2.0), b=(1.0, 2.0))
TRUTH, SD = np.array([0.4, 0.7]), np.array([0.05, 0.1])
SLOPES = np.random.default_rng(5).normal(0.5, 0.5, (60, 2, 2))


def predict(points: np.ndarray) -> np.ndarray:
    return np.einsum("nop,mp->mno", SLOPES, points)


def data(seed: int) -> np.ndarray:
    return predict(TRUTH[None])[0] + SD * np.random.default_rng(seed).standard_normal((60, 2))


def exact(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generalised least squares with the true noise: mean and covariance."""
    weight = np.diag(1 / SD**2)
    information = np.einsum("nip,ij,njq->pq", SLOPES, weight, SLOPES)
    return np.linalg.solve(information, np.einsum("nip,ij,nj->p", SLOPES, weight, target)), np.linalg.inv(information)


def at(target: np.ndarray) -> Estimate:
    return polish(predict, target, np.array([0.5, 0.5]), PRIOR.names, 0.02)


def test_polishing_ends_at_least_squares_and_knows_the_noise() -> None:
    target = data(0)
    mean, covariance = exact(target)
    found = at(target)
    assert found.point == pytest.approx(mean, abs=0.3 * np.sqrt(covariance[0, 0]))
    assert np.sqrt(np.diagonal(found.covariance)) == pytest.approx(SD, rel=0.25)
    assert np.sqrt(np.diagonal(spread(found))) == pytest.approx(np.sqrt(np.diagonal(covariance)), rel=0.25)
    assert {found.information.verdict(name) for name in PRIOR.names} == {"identified"}


def test_sensitivity_does_not_take_a_wrong_start_for_noise() -> None:
    target = data(0)
    far = sensitivity(predict, target, np.array([0.9, 0.1]), PRIOR.names, 0.02)
    assert np.sqrt(np.diagonal(far.covariance)) == pytest.approx(SD, rel=0.25)


def test_cma_finds_the_minimum_within_bounds_in_one_dimension_and_in_two() -> None:
    pytest.importorskip("cma")
    target = data(0)
    found = minimise(lambda points: misfit(predict(points) - target), np.array([0.5, 0.5]), 0.0, 1.0, 400, 0)
    assert found == pytest.approx(TRUTH, abs=0.05)
    assert minimise(lambda p: ((p[:, 0] - 7) ** 2).tolist(), np.array([0.5]), 0.0, 1.0, 100, 0) == pytest.approx(
        [1.0], abs=1e-3
    )


POSTERIORS: dict[str, Callable[[np.ndarray, int], Posterior]] = {
    "reweight": lambda target, seed: reweighted(predict, target, PRIOR, at(target), Settings(particles=100, seed=seed)),
    "simopt": lambda target, seed: stepped(at(target), Settings(method="simopt", kl=50.0, particles=200, seed=seed)),
    "dropo": lambda target, seed: likeliest(target, at(target), Settings(method="dropo", particles=200, seed=seed)),
}


@pytest.mark.parametrize(("method", "seeds"), [("reweight", 100), ("simopt", 100), ("dropo", 40)])
def test_intervals_of_one_machine_cover_at_their_rate(method: str, seeds: int) -> None:
    pytest.importorskip("cma")
    hits = []
    for seed in range(seeds):
        found = POSTERIORS[method](data(seed), seed)
        assert not found.warnings
        low, high = np.quantile(found.points, [0.05, 0.95], axis=0)
        hits.append((low <= TRUTH) & (high >= TRUTH))
    assert 0.85 <= np.mean(hits) <= 0.95


def test_dropo_of_one_world_is_narrow_and_warns_when_epsilon_hides_nothing() -> None:
    pytest.importorskip("cma")
    target = data(0)
    estimate = at(target)
    found = likeliest(target, estimate, Settings(method="dropo"))
    assert not found.warnings
    assert found.points.mean(0) == pytest.approx(TRUTH, abs=0.08)
    assert found.points.std(0).max() < 0.1
    shifted = target + 3.0
    blown = likeliest(shifted, estimate, Settings(method="dropo", epsilon=1e-6))
    assert "epsilon = 1e-06 rad² is too small" in blown.warnings[0]


def test_simopt_goes_as_far_as_its_bound() -> None:
    estimate = at(data(0))
    near, far = (stepped(estimate, Settings(method="simopt", kl=kl, particles=1000)) for kl in (0.1, 4.0))
    assert near.facts["kl"] == pytest.approx(0.1, abs=1e-4)
    assert far.facts["kl"] == pytest.approx(4.0, abs=1e-4)
    assert UNIFORM_SD > near.points.std() > far.points.std()
    assert np.abs(far.points.mean(0) - estimate.point).max() < 0.1
    assert far.points.min() >= 0
    assert far.points.max() <= 1
    all_that_is_told = stepped(estimate, Settings(method="simopt", kl=50.0, particles=1000))
    assert all_that_is_told.points.std(0) == pytest.approx(np.sqrt(np.diagonal(spread(estimate))), rel=0.1)
    assert kl_gaussians(np.zeros(2), np.eye(2), np.zeros(2), np.eye(2)) == pytest.approx(0.0)


def test_likelihood_and_covariance_are_gaussian() -> None:
    outputs, target = np.zeros((1, 2, 1)), np.array([[1.0], [2.0]])
    assert log_likelihood(outputs, target, np.array([[4.0]])) == pytest.approx([-0.5 * (1 + 4) / 4])
    errors = np.array([[1.0, 1.0], [3.0, 3.0]])
    assert covariance_of(errors) == pytest.approx(np.diag([5.0, 5.0]))
    assert covariance_of(np.tile(errors, (4, 1)))[0, 1] == pytest.approx(5.0)
    assert isinstance(Slopes(target, target), tuple)
    assert inform(("a",), np.array([[0.0]])).verdict("a") == "blind"
