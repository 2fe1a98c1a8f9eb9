from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain_rand.plain import sample
from domain_rand.randomizer import Randomization
from domain_rand.ranks import rank
from domain_rand.schema import ConfigError
from domain_rand.splits import Split, out_of_distribution
from tests.domain_rand.fake_world import randomization, scale, uniform

WORLDS = randomization(
    mass=scale("link_mass", 0.5, 1.5),
    gain=scale("motor_kp", 0.5, 1.5),
    kind={**scale("motor_kd"), "draw": {"distribution": "choice", "values": [1, 2]}},
    start={**scale("gravity"), "when": "episode"},
)


def cells(params: dict[str, float], n: int = 5) -> tuple[int, int]:
    mass, gain = (int((params[name] - 0.5) * n) for name in ("mass", "gain"))
    return mass, gain


def visited(part: Literal["train", "test"]) -> list[tuple[int, int]]:
    return [cells(sample(Split(WORLDS, part), 0, index).params) for index in range(4000)]


def test_train_and_test_share_no_cell_and_leave_none_out() -> None:
    train, test = set(visited("train")), set(visited("test"))
    assert not train & test
    assert (len(train), len(test)) == (20, 5)
    assert test == {(mass, gain) for mass in range(5) for gain in range(5) if (mass + gain) % 5 == 4}


@pytest.mark.parametrize("part", ["train", "test"])
def test_every_single_parameter_keeps_its_distribution(part: Literal["train", "test"]) -> None:
    for shares in zip(*visited(part), strict=True):
        assert np.abs(np.bincount(shares) / 4000 - 0.2).max() < 0.026  # four standard deviations
    values = [sample(Split(WORLDS, part), 0, index).params["gain"] for index in range(4000)]
    steps = np.sort(values) - 0.5
    assert np.abs(steps - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / np.sqrt(4000)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 10**6), st.integers(2, 9), st.sampled_from(["a", "b"]))
def test_no_seed_stream_or_index_crosses_over_even_when_correlated(seed: int, index: int, n: int, stream: str) -> None:
    names = [name for name in WORLDS.names if name in ("mass", "gain")]
    coupled = Randomization.parse({**WORLDS.plain(), "groups": {"g": {"members": names, "correlation": 0.7}}})

    def residue(part: Any) -> int:
        params = sample(Split(coupled, part, n), seed, index, stream).params
        places = {name: rank(coupled.parameters[name].draw, params[name]) for name in names}
        # undo the coupling by hand: members in alphabetical order are gain, mass
        normal = NormalDist()
        gain, mass = (normal.inv_cdf(min(max(places[name], 1e-15), 1 - 1e-15)) for name in ("gain", "mass"))
        free = places["gain"], normal.cdf((mass - 0.7 * gain) / np.sqrt(1 - 0.49))
        return sum(int(u * n) for u in free) % n

    assert residue("test") == n - 1
    assert residue("train") < n - 1


def test_one_parameter_alone_is_split_into_two_ranges() -> None:
    alone = randomization(mass=scale("link_mass", 0.0, 1.0))
    test = [sample(Split(alone, "test"), 0, index).params["mass"] for index in range(500)]
    train = [sample(Split(alone, "train"), 0, index).params["mass"] for index in range(500)]
    assert max(train) < 0.8 < min(test)


def test_what_differs_between_episodes_is_left_to_its_distribution() -> None:
    split = sample(Split(WORLDS, "test"), 0, 3)
    assert split.params["start"] == WORLDS.draw(0, 3).params["start"]


def test_a_discrete_partner_blurs_the_cells_of_its_group() -> None:
    groups = {"g": {"members": ["mass", "kind"], "correlation": 0.5}}
    coupled = Randomization.parse({**WORLDS.plain(), "groups": groups})
    assert Split(WORLDS, "train").axes == ("gain", "mass")
    assert Split(coupled, "train").axes == ("gain",)


def test_a_split_without_axes_or_cells_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to split"):
        Split(randomization(kind=WORLDS.parameters["kind"].plain()), "train")
    with pytest.raises(ConfigError, match="cells = 1"):
        Split(WORLDS, "train", 1)


OUTER = randomization(
    mass=scale("link_mass", 0.5, 2.0),
    noise={"parameter": "signal_noise", "unit": "rad", "draw": uniform(0.0, 0.01)},
    tilt={"parameter": "slope_x", "unit": "rad", "draw": uniform(-0.2, 0.4)},
    drop={"parameter": "signal_dropout", "unit": "1", "draw": uniform(0.0, 1.0)},
)


def test_worlds_out_of_distribution_lie_outside_by_the_stated_factor() -> None:
    outer = out_of_distribution(OUTER, 1.5)
    drawn = [outer.draw(0, index).params for index in range(2000)]
    mass, noise, tilt = (np.array([params[name] for params in drawn]) for name in ("mass", "noise", "tilt"))
    # scales widen in the logarithm: half of log 4 is log 2, half of that log √2
    assert not np.any((mass >= 0.5) & (mass <= 2.0))
    assert (mass.min(), mass.max()) == (pytest.approx(0.5 / 2**0.5, rel=0.01), pytest.approx(2 * 2**0.5, rel=0.01))
    assert (noise.min(), noise.max()) == (pytest.approx(0.01, rel=0.01), pytest.approx(0.0125, rel=0.01))
    assert not np.any((tilt >= -0.2) & (tilt <= 0.4))
    assert (tilt.min(), tilt.max()) == (pytest.approx(-0.35, rel=0.01), pytest.approx(0.55, rel=0.01))
    assert (tilt < 0).mean() == pytest.approx(0.5, abs=0.05)


@given(st.floats(0, 1, exclude_max=True), st.floats(-0.9, 0.3), st.floats(0.01, 0.5), st.floats(1.01, 5))
def test_nothing_out_of_distribution_was_seen_in_training_or_leaves_physics(
    u: float, low: float, width: float, factor: float
) -> None:
    entry = {"parameter": "slope_x", "unit": "rad", "draw": uniform(low, low + width)}
    outer = out_of_distribution(randomization(tilt=entry), factor).parameters["tilt"]
    value = outer.draw.quantile(u)
    assert not low <= value <= low + width
    outer.row.check(value, "tilt")


def test_what_lies_between_the_components_of_a_mixture_is_outside() -> None:
    parts = [uniform(-1.5, -0.5), uniform(0.5, 1.0), uniform(0.8, 1.5)]
    entry = {"parameter": "motor_gain", "unit": "1", "draw": {"distribution": "mixture", "components": parts}}
    outer = out_of_distribution(randomization(gain=entry), 2.0)
    gains = np.array([outer.draw(0, index).params["gain"] for index in range(1000)])
    between = np.abs(gains) < 1.0
    assert np.all(np.abs(gains[between]) < 0.5)
    assert between.mean() == pytest.approx(1 / 3, abs=0.05)
    assert (gains[between].min(), gains[between].max()) == (pytest.approx(-0.5, abs=0.02), pytest.approx(0.5, abs=0.02))


def test_what_fills_all_of_physics_stays() -> None:
    assert out_of_distribution(OUTER).parameters["drop"] == OUTER.parameters["drop"]
    with pytest.raises(ConfigError, match="nothing lies outside drop"):
        out_of_distribution(OUTER, names=["drop"])


def test_only_the_named_parameters_move_out() -> None:
    outer = out_of_distribution(OUTER, names=["tilt"])
    assert [name for name in outer.names if outer.parameters[name] != OUTER.parameters[name]] == ["tilt"]
    assert outer.draw(0, 5).params["mass"] == OUTER.draw(0, 5).params["mass"]


@pytest.mark.parametrize(
    ("factor", "names", "message"),
    [(1.0, None, "factor = 1; valid: above 1"), (2.0, ["tlit"], "unknown parameter 'tlit'; did you mean 'tilt'")],
)
def test_an_impossible_request_is_refused(factor: float, names: list[str] | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        out_of_distribution(OUTER, factor, names)


def test_an_uncut_normal_has_no_outside() -> None:
    normal = {**scale("motor_kp"), "draw": {"distribution": "normal", "mean": 1, "std": 0.1}}
    with pytest.raises(ConfigError, match="unbounded"):
        out_of_distribution(randomization(kp=normal))


def test_the_outer_worlds_can_be_written_to_a_file() -> None:
    outer = out_of_distribution(OUTER)
    assert Randomization.parse(outer.plain()) == outer
