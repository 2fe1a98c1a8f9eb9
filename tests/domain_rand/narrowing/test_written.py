"""A posterior becomes a file: its draws are those of the particles, and never leave the prior's support."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from domain_rand.distributions import Choice, LogUniform, Mixture, Normal, Uniform
from domain_rand.narrowing.prior import Prior
from domain_rand.narrowing.reweighting import reflected
from domain_rand.narrowing.written import GROUP, cut_moments, narrowed, written
from domain_rand.randomizer import Randomization
from tests.domain_rand.narrowing.linear_world import uniform_prior

WIDE = uniform_prior(a=(1.0, 3.0), b=(2.0, 6.0), c=(1.0, 2.0))


def ridge(count: int = 400) -> np.ndarray:
    """a and b known together only, c not at all."""
    rng = np.random.default_rng(0)
    a = np.clip(0.4 + 0.1 * rng.standard_normal(count), 0, 1)
    return np.stack([a, np.clip(1 - a + 0.02 * rng.standard_normal(count), 0, 1), rng.uniform(size=count)], -1)


def drawn(randomization: Randomization, names: tuple[str, ...], count: int = 2000) -> np.ndarray:
    worlds = [randomization.draw(0, index).params for index in range(count)]
    return np.array([[world[name] for name in names] for world in worlds])


def test_worlds_drawn_from_the_file_are_like_the_particles() -> None:
    points = ridge()
    text = written(points, WIDE).to_yaml()
    again = Randomization.parse(yaml.safe_load(text))
    worlds = drawn(again, WIDE.names)
    values = np.array([list(WIDE.values(point).values()) for point in points])
    assert worlds.mean(0) == pytest.approx(values.mean(0), abs=0.06)
    assert worlds.std(0) == pytest.approx(values.std(0), rel=0.1)
    assert np.corrcoef(worlds, rowvar=False)[0, 1] == pytest.approx(np.corrcoef(values, rowvar=False)[0, 1], abs=0.05)
    assert again.groups[GROUP].members == ("a", "b")
    assert again.parameters["c"].draw == WIDE.randomization.parameters["c"].draw


def test_a_pair_that_only_its_ratio_is_known_of_keeps_its_prior_and_its_correlation() -> None:
    a = np.random.default_rng(0).uniform(size=500)
    again = written(np.stack([a, a, np.full(500, 0.5) + 1e-3 * a], -1), WIDE)
    assert again.parameters["a"].draw == WIDE.randomization.parameters["a"].draw
    worlds = drawn(again, ("a", "b"), 500)
    assert np.corrcoef(worlds, rowvar=False)[0, 1] > 0.95


@pytest.mark.parametrize("mean", [0.02, 0.5, 0.99])
def test_no_draw_leaves_the_support(mean: float) -> None:
    column = reflected(mean + 0.1 * np.random.default_rng(0).standard_normal(300))
    for prior in (Uniform(low=-1.0, high=2.0), LogUniform(low=0.1, high=10.0), Normal(mean=0.0, std=1.0, low=-2.0)):
        draw = narrowed(column, prior)
        values = [draw.quantile(u) for u in (0.0, 0.01, 0.5, 0.99, 1.0)]
        assert draw.support == prior.support
        assert min(values) >= prior.support[0]
        assert max(values) <= prior.support[1]
        held = np.array([draw.quantile(u) for u in np.linspace(0.0005, 0.9995, 1000)])
        wanted = np.array([prior.quantile(u) for u in column.tolist()])
        assert held.mean() == pytest.approx(wanted.mean(), abs=0.1 * wanted.std() + 1e-3)


def test_mixtures_and_choices_keep_what_is_left_of_them() -> None:
    either = Mixture(components=(Uniform(low=-1.5, high=-0.5), Uniform(low=0.5, high=1.5)))
    right = narrowed(np.linspace(0.7, 0.8, 50), either)
    assert isinstance(right, Normal)
    assert right.support == (0.5, 1.5)
    both = narrowed(np.concatenate([np.linspace(0.2, 0.25, 30), np.linspace(0.55, 0.6, 10)]), either)
    assert isinstance(both, Mixture)
    assert both.weights == (0.75, 0.25)
    some = narrowed(np.linspace(0.4, 0.6, 50), Choice(values=(1.0, 2.0, 3.0)))
    assert isinstance(some, Choice)
    assert some.weights == (0.0, 1.0, 0.0)


def test_moments_of_a_cut_normal() -> None:
    assert cut_moments(0.0, 1.0, -np.inf, np.inf) == pytest.approx((0.0, 1.0))
    assert cut_moments(0.0, 1.0, 0.0, np.inf) == pytest.approx((np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)))


def test_old_groups_of_the_parameters_are_replaced_and_others_kept() -> None:
    plain = uniform_prior(a=(1.0, 3.0), b=(2.0, 6.0), c=(1.0, 2.0), d=(1.0, 2.0)).randomization.plain()
    plain["groups"] = {
        "old": {"members": ["a", "b"], "correlation": 0.5},
        "kept": {"members": ["c", "d"], "correlation": 0.5},
    }
    prior = Prior(Randomization.parse(plain), ("a", "b"))
    assert set(written(ridge()[:, :2], prior).groups) == {GROUP, "kept"}
