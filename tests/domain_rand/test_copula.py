from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain_rand.copula import CorrelatedGroup, correlate
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from tests.domain_rand.fake_world import TableWorld, randomization, scale

N = 4000
ENTRIES = {
    "mass": scale("link_mass", 0.5, 1.5),
    "friction": {**scale("lateral_friction"), "draw": {"distribution": "log_uniform", "low": 0.1, "high": 1.0}},
    "strength": {**scale("motor_strength"), "draw": {"distribution": "choice", "values": [0, 1, 2, 3]}},
    "alone": scale("gravity"),
}


def pair(correlation: Any = 0.8, members: tuple[str, ...] = ("mass", "friction")) -> Randomization:
    return randomization({"g": {"members": members, "correlation": correlation}}, **ENTRIES)


def table(worlds: Randomization, *names: str) -> np.ndarray:
    drawn = [worlds.draw(0, index).params for index in range(N)]
    return np.array([[params[name] for name in names] for params in drawn])


def rank_correlation(values: np.ndarray) -> float:
    ranks = values.argsort(axis=0).argsort(axis=0)
    return float(np.corrcoef(ranks.T)[0, 1])


@pytest.mark.parametrize("correlation", [0.8, -0.5, 0.0])
def test_ranks_correlate_as_a_gaussian_copula_s_do(correlation: float) -> None:
    # (6/π)·asin(ρ/2): 0.7859 for 0.8, −0.4826 for −0.5
    expected = 6 / math.pi * math.asin(correlation / 2)
    assert rank_correlation(table(pair(correlation), "mass", "friction")) == pytest.approx(expected, abs=0.04)


def test_each_member_keeps_its_own_distribution() -> None:
    worlds = pair(0.8, ("mass", "friction", "strength"))
    mass, friction, strength = table(worlds, "mass", "friction", "strength").T
    # Kolmogorov–Smirnov: 1.95/√N is passed by chance in one case of a thousand
    for uniforms in (mass - 0.5, np.log10(friction) + 1):
        steps = np.sort(uniforms)
        assert np.abs(steps - (np.arange(N) + 0.5) / N).max() < 1.95 / math.sqrt(N)
    assert np.abs(np.bincount(strength.astype(int)) / N - 0.25).max() < 0.028  # four standard deviations
    assert np.corrcoef(mass, strength)[0, 1] > 0.5


def test_what_is_in_no_group_stays_as_it_was() -> None:
    free, coupled = randomization(**ENTRIES), pair()
    assert coupled.draw(0, 3).params["alone"] == free.draw(0, 3).params["alone"]
    assert coupled.draw(0, 3).params["strength"] == free.draw(0, 3).params["strength"]
    assert abs(rank_correlation(table(coupled, "mass", "alone"))) < 0.06


def test_two_uniforms_are_mixed_by_hand() -> None:
    # z = (1, −1) and ρ = 0.6: the second becomes 0.6·1 + 0.8·(−1) = −0.2
    cdf = NormalDist().cdf
    mixed = correlate([cdf(1.0), cdf(-1.0)], ((1.0,), (0.6, 0.8)))
    assert mixed == pytest.approx([cdf(1.0), cdf(-0.2)], abs=1e-12)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.floats(-0.99, 0.99))
@example(1 - 2.0**-53, 1 - 2.0**-53, 0.7)
def test_correlated_uniforms_are_uniforms(a: float, b: float, correlation: float) -> None:
    _, factor = CorrelatedGroup(members=("a", "b"), correlation=correlation).factor()
    assert all(0 <= u < 1 for u in correlate([a, b], factor))


@settings(max_examples=20)
@given(st.permutations(["mass", "friction", "strength"]))
def test_the_order_of_members_changes_nothing(members: list[str]) -> None:
    base = ("mass", "friction", "strength")
    matrix = np.array([[1, 0.7, 0.2], [0.7, 1, -0.3], [0.2, -0.3, 1]])
    order = [base.index(member) for member in members]
    turned = pair(matrix[np.ix_(order, order)].tolist(), tuple(members))
    assert turned.draw(0, 1).params == pair(matrix.tolist(), base).draw(0, 1).params


def test_a_matrix_correlates_every_pair_as_it_says() -> None:
    worlds = pair([[1, 0.7], [0.7, 1]])
    assert worlds.draw(0, 1).params == pair(0.7).draw(0, 1).params


@pytest.mark.parametrize("correlation", [0.8, [[1, 0.7], [0.7, 1]]])
def test_a_group_survives_a_file(correlation: Any) -> None:
    worlds = pair(correlation)
    again = Randomization.parse(yaml.safe_load(worlds.to_yaml()))
    assert again == worlds
    assert again.draw(0, 1).params == worlds.draw(0, 1).params


def test_each_member_of_a_group_correlates_among_the_targets() -> None:
    entry = scale("motor_strength", each=True)
    worlds = randomization({"g": {"members": ["s"], "correlation": 0.9}}, s=entry).bind(TableWorld())
    assert worlds.groups["g"].members == ("s/hip_l", "s/hip_r", "s/knee_l", "s/knee_r")
    expected = 6 / math.pi * math.asin(0.45)
    assert rank_correlation(table(worlds, "s/hip_l", "s/knee_r")) == pytest.approx(expected, abs=0.03)


def test_four_targets_cannot_all_oppose_each_other() -> None:
    entry = scale("motor_strength", each=True)
    worlds = randomization({"g": {"members": ["s"], "correlation": -0.5}}, s=entry)
    with pytest.raises(ConfigError, match="not positive definite"):
        worlds.bind(TableWorld())


def test_members_drawn_per_episode_go_together_in_every_episode() -> None:
    entries = {name: {**ENTRIES[name], "when": "episode"} for name in ("mass", "friction")}
    worlds = randomization({"g": {"members": list(entries), "correlation": 0.8}}, **entries)
    drawn = [worlds.draw_episode(0, 0, episode).params for episode in range(2000)]
    values = np.array([[params["mass"], params["friction"]] for params in drawn])
    assert rank_correlation(values) == pytest.approx(0.786, abs=0.05)


@pytest.mark.parametrize(
    ("members", "correlation", "message"),
    [
        (("mass", "fricton"), 0.8, "group g: unknown parameter 'fricton'; did you mean 'friction'"),
        (("mass",), 0.8, "one member alone"),
        (("mass", "mass"), 0.8, "one is named twice"),
        (("mass", "friction"), 1.0, "not positive definite"),
        (("mass", "friction", "alone"), -0.5, "not positive definite"),
        (("mass", "friction"), [[1, 0.5]], "correlation is 1 × 2 for 2 members"),
        (("mass", "friction"), [[1, 0.5], [0.5]], "rows of different lengths"),
        (("mass", "friction"), [[1, 0.5], [0.4, 1]], "symmetric"),
        (("mass", "friction"), [[2, 0.5], [0.5, 2]], "ones on the diagonal"),
    ],
)
def test_a_group_that_cannot_be_is_refused_at_load(members: tuple[str, ...], correlation: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pair(correlation, members)


def test_a_member_belongs_to_one_group_and_one_mode() -> None:
    group = {"members": ["mass", "friction"], "correlation": 0.5}
    with pytest.raises(ConfigError, match="'mass' is in two groups, a and b"):
        randomization({"a": group, "b": {**group, "members": ["mass", "alone"]}}, **ENTRIES)
    for mode in ({"when": "episode"}, {"when": "interval", "every": [1, 2]}):
        with pytest.raises(ConfigError, match="must all be drawn once"):
            randomization({"a": group}, **{**ENTRIES, "mass": {**ENTRIES["mass"], **mode}})
    both = {name: {**entry, "when": "interval", "every": [1, 2]} for name, entry in ENTRIES.items()}
    with pytest.raises(ConfigError, match="must all be drawn once"):
        randomization({"a": group}, **both)
