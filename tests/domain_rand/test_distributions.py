from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from domain_rand.distributions import Choice, Distribution, LogUniform, Mixture, Normal, Uniform, scale_of

N = 20_000
GRID = (np.arange(N) + 0.5) / N
"""Midpoints of N equal slices of [0, 1]: the mean over them is an integral, not a random estimate."""


def draws(distribution: Any) -> np.ndarray:
    return np.array([distribution.quantile(u) for u in GRID])


def test_uniform_edges_and_moments() -> None:
    uniform = Uniform(low=-1, high=3)
    assert (uniform.quantile(0.0), uniform.quantile(0.5), uniform.quantile(1.0)) == (-1, 1, 3)
    assert draws(uniform).mean() == pytest.approx(1.0)
    assert draws(uniform).std() == pytest.approx(4 / math.sqrt(12), rel=1e-6)


def test_log_uniform_edges_and_moments() -> None:
    log_uniform = LogUniform(low=0.1, high=10)
    assert log_uniform.quantile(0.0) == pytest.approx(0.1)
    assert log_uniform.quantile(0.5) == pytest.approx(1.0)
    assert log_uniform.quantile(1.0) == pytest.approx(10)
    assert draws(log_uniform).mean() == pytest.approx(9.9 / math.log(100), rel=1e-6)


def test_normal_moments_and_finite_edges() -> None:
    normal = Normal(mean=2, std=0.5)
    assert normal.quantile(0.5) == pytest.approx(2.0)
    assert normal.quantile(0.841344746) == pytest.approx(2.5, abs=1e-6)
    assert draws(normal).mean() == pytest.approx(2.0, abs=1e-9)
    assert draws(normal).std() == pytest.approx(0.5, rel=1e-3)
    assert math.isfinite(normal.quantile(0.0))
    assert math.isfinite(normal.quantile(1 - 2**-53))


def test_a_half_normal_has_the_mean_of_a_half_normal() -> None:
    half = Normal(mean=0, std=2, low=0)
    assert draws(half).mean() == pytest.approx(2 * math.sqrt(2 / math.pi), rel=1e-4)
    assert half.quantile(0.0) == 0.0


def test_a_truncated_normal_stays_inside_and_keeps_its_shape() -> None:
    cut = Normal(mean=0, std=1, low=-1, high=2)
    values = draws(cut)
    assert -1 <= values.min() < values.max() <= 2
    # (φ(−1) − φ(2)) / (Φ(2) − Φ(−1)) = (0.2419707 − 0.0539910) / (0.9772499 − 0.1586553)
    assert values.mean() == pytest.approx(0.2296371, abs=1e-5)
    assert (cut.quantile(0.0), cut.quantile(1.0)) == (pytest.approx(-1), pytest.approx(2))


def test_choice_gives_equal_shares_without_weights() -> None:
    values, counts = np.unique(draws(Choice(values=(5, 1, 3))), return_counts=True)
    assert values.tolist() == [1, 3, 5]
    assert np.abs(counts - N / 3).max() <= 1
    assert Choice(values=(5, 1, 3)).quantile(1 - 2**-53) == 3


def test_choice_follows_its_weights() -> None:
    values = draws(Choice(values=(0, 1, 2), weights=(1, 0, 3)))
    assert (values == 0).mean() == pytest.approx(0.25)
    assert (values == 1).sum() == 0


def test_a_mixture_gives_each_half_its_own_distribution() -> None:
    mixture = Mixture(components=(Uniform(low=-1.5, high=-0.5), Uniform(low=0.5, high=1.5)))
    values = draws(mixture)
    assert (values < 0).mean() == 0.5
    assert values[values < 0].mean() == pytest.approx(-1)
    assert values[values > 0].mean() == pytest.approx(1)
    assert values[values > 0].std() == pytest.approx(1 / math.sqrt(12), rel=1e-4)
    assert (mixture.quantile(0.0), mixture.quantile(0.5)) == (-1.5, 0.5)
    assert mixture.support == (-1.5, 1.5)


def test_a_mixture_follows_its_weights() -> None:
    mixture = Mixture(components=(Choice(values=(0,)), Uniform(low=1, high=2)), weights=(3, 1))
    assert (draws(mixture) == 0).mean() == pytest.approx(0.75)
    assert draws(mixture).mean() == pytest.approx(0.25 * 1.5, rel=1e-4)


@pytest.mark.parametrize(
    ("distribution", "middle"),
    [
        (Uniform(low=2, high=4), 3.0),
        (LogUniform(low=0.1, high=10), 1.0),
        (Normal(mean=5, std=2), 5.0),
        (Choice(values=(-1, 3)), 1.0),
        (Mixture(components=(Uniform(low=-1.5, high=-0.5), Uniform(low=0.5, high=1.5))), 0.0),
        (Mixture(components=(Normal(mean=4, std=1), Normal(mean=-4, std=1))), 0.0),
    ],
    ids=lambda value: getattr(value, "distribution", None),
)
def test_normalized_draws_fill_the_range_around_zero(distribution: Any, middle: float) -> None:
    assert scale_of(distribution)(middle) == pytest.approx(0.0, abs=1e-9)
    values = np.array([scale_of(distribution)(value) for value in draws(distribution)])
    assert (np.abs(values) <= 1.02).mean() >= 0.98
    assert values.max() > 0.97
    assert values.min() < -0.97


def test_normalization_rises_with_the_value() -> None:
    mixture = Mixture(components=(Normal(mean=5, std=1), Normal(mean=-5, std=1)))
    assert scale_of(mixture)(5) > scale_of(mixture)(-5)


def test_a_single_value_normalizes_to_zero() -> None:
    assert scale_of(Uniform(low=2, high=2))(2) == 0
    assert scale_of(LogUniform(low=2, high=2))(2) == 0


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_value_without_logarithm_says_so(value: float) -> None:
    with pytest.raises(ValueError, match="has no logarithm"):
        scale_of(LogUniform(low=1, high=2))(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"distribution": "uniform", "low": 2, "high": 1}, "low 2.0 is above high 1.0"),
        ({"distribution": "log_uniform", "low": 0, "high": 1}, "greater than 0"),
        ({"distribution": "log_uniform", "low": 2, "high": 1}, "is above high"),
        ({"distribution": "normal", "mean": 0, "std": 0}, "greater than 0"),
        ({"distribution": "normal", "mean": 0, "std": 1, "low": 1, "high": 1}, "no mass between"),
        ({"distribution": "normal", "mean": 0, "std": 1, "low": 50}, "no mass between"),
        ({"distribution": "choice", "values": []}, "at least 1"),
        ({"distribution": "choice", "values": [1, 2], "weights": [1]}, "1 weights for 2 entries"),
        ({"distribution": "choice", "values": [1, 2], "weights": [0, 0]}, "weights sum to zero"),
        ({"distribution": "choice", "values": [1, 2], "weights": [2, -1]}, "greater than or equal to 0"),
        ({"distribution": "gauss", "mean": 0, "std": 1}, "does not match any of the expected tags"),
    ],
)
def test_an_impossible_distribution_is_refused(data: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Distribution).validate_python(data)
