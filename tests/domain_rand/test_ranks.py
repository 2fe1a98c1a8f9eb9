from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_rand.distributions import Choice, Distribution, LogUniform, Mixture, Normal, Uniform
from domain_rand.entries import Entry
from domain_rand.ranks import between, continuous, nominal_rank, rank
from tests.domain_rand.fake_world import TableWorld, scale, uniform

SIGNED = Mixture(components=(Uniform(low=0.5, high=1.5), Uniform(low=-1.5, high=-0.5)), weights=(3, 1))
DISTRIBUTIONS = [
    Uniform(low=-1, high=3),
    LogUniform(low=0.1, high=10),
    Normal(mean=2, std=0.5),
    Normal(mean=0, std=1, low=-1, high=2),
    SIGNED,
]


@given(st.sampled_from(DISTRIBUTIONS), st.floats(0.001, 0.999))
def test_the_rank_of_a_quantile_is_where_it_was_drawn(distribution: Any, u: float) -> None:
    assert rank(distribution, distribution.quantile(u)) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize(
    ("distribution", "value", "expected"),
    [
        (Uniform(low=0, high=4), 1.0, 0.25),
        (Uniform(low=0, high=4), 9.0, 1.0),
        (Uniform(low=2, high=2), 2.0, 0.5),
        (LogUniform(low=0.01, high=1), 0.1, 0.5),
        (LogUniform(low=0.01, high=1), 0.0, 0.0),
        (Normal(mean=1, std=2), 1.0, 0.5),
        (Choice(values=(0, 1), weights=(3, 1)), 1.0, 0.875),  # the middle of the last quarter
        (Choice(values=(0, 1), weights=(3, 1)), 0.2, 0.375),
        (SIGNED, -1.0, 0.875),
    ],
)
def test_ranks_by_hand(distribution: Any, value: float, expected: float) -> None:
    assert rank(distribution, value) == pytest.approx(expected)


def test_nominal_lies_where_the_operation_says() -> None:
    added = Entry.parse({"parameter": "gravity", "op": "add", "unit": "m/s²", "draw": uniform(-1, 3)})
    placed = Entry.parse({"parameter": "gravity", "unit": "m/s²", "draw": uniform(0, 10)})
    scaled = Entry.parse(scale("gravity", 0.5, 2.5))
    found = [nominal_rank("g", entry, TableWorld()) for entry in (added, placed, scaled)]
    assert found == [0.25, 0.1, 0.25]


def test_only_one_to_one_distributions_are_continuous() -> None:
    assert all(map(continuous, DISTRIBUTIONS[:4]))
    assert not any(map(continuous, (SIGNED, Choice(values=(1, 2)), Uniform(low=1, high=1))))


@pytest.mark.parametrize(
    "draw",
    [
        Uniform(low=-1.0, high=3.0),
        LogUniform(low=0.1, high=10.0),
        Normal(mean=1.0, std=2.0),
        Normal(mean=0, std=1, low=-1),
    ],
)
def test_between_two_quantiles_lie_exactly_those_between_them(draw: Distribution) -> None:
    part = between(draw, 0.2, 0.7)
    for u in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert part.quantile(u) == pytest.approx(draw.quantile(0.2 + 0.5 * u), rel=1e-6)
    assert between(draw, 0.4, 0.4) == Choice(values=(draw.quantile(0.4),))


def test_what_has_no_ends_to_move_is_itself() -> None:
    either = Choice(values=(1.0, 2.0))
    assert between(either, 0.1, 0.9) == either
    assert between(either, 0.1, 0.1) == Choice(values=(1.0,))
