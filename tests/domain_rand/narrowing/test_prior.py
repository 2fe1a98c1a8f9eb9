from __future__ import annotations

import numpy as np
import pytest

from domain_rand.narrowing.prior import Prior, scores, uniforms
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from tests.domain_rand.narrowing.linear_world import uniform_prior


def correlated() -> Prior:
    plain = uniform_prior(a=(0.5, 2.0), b=(1.0, 3.0)).randomization.plain()
    plain["groups"] = {"both": {"members": ["b", "a"], "correlation": 0.8}}
    return Prior(Randomization.parse(plain), ("a", "b"))


def test_a_point_is_its_values_and_back() -> None:
    prior = uniform_prior(a=(0.5, 2.0), b=(1.0, 3.0))
    assert prior.values([0.5, 0.25]) == {"a": 1.25, "b": 1.5}
    assert prior.point({"a": 1.25, "b": 1.5}) == pytest.approx([0.5, 0.25])
    assert prior.values([-3.0, 7.0]) == {"a": 0.5, "b": 3.0}
    with pytest.raises(ConfigError, match="unknown parameter 'mas'"):
        Prior(prior.randomization, ("mas",))


def test_independent_parameters_have_a_flat_density_inside_only() -> None:
    prior = uniform_prior(a=(0.5, 2.0), b=(1.0, 3.0))
    assert prior.log_density(np.array([[0.1, 0.9], [1.1, 0.5]])).tolist() == [0.0, -np.inf]


def test_the_density_of_a_correlated_prior_is_that_of_its_draws() -> None:
    prior = correlated()
    points = prior.draw(4000, np.random.default_rng(0))
    assert np.corrcoef(scores(points), rowvar=False)[0, 1] == pytest.approx(0.8, abs=0.02)
    flat = np.random.default_rng(1).uniform(size=(40000, 2))
    assert np.exp(prior.log_density(flat)).mean() == pytest.approx(1.0, abs=0.05)
    assert prior.log_density(np.array([[0.9, 0.9]])) > prior.log_density(np.array([[0.9, 0.1]]))


def test_scores_and_uniforms_undo_each_other() -> None:
    points = np.array([[0.01, 0.5], [0.9, 0.999]])
    assert uniforms(scores(points)) == pytest.approx(points)
