from __future__ import annotations

from domain_rand.plain import Plain, sample
from tests.domain_rand.fake_world import randomization, scale

WORLDS = randomization(
    {"g": {"members": ["mass", "gain"], "correlation": 0.6}},
    mass=scale("link_mass"),
    gain=scale("motor_kp"),
    tilt=scale("gravity", when="episode"),
    make=scale("motor_kd", when="once"),
)


def test_the_plain_sampler_restricts_nothing() -> None:
    for index in range(10):
        assert sample(Plain(WORLDS), 3, index, "test").params == WORLDS.draw(3, index, "test").params


def test_a_sampler_rules_what_is_drawn_once_a_world() -> None:
    assert set(Plain(WORLDS).uniforms(0, 0)) == {"mass", "gain"}


def test_uniforms_of_a_sampler_replace_the_keyed_ones_only_where_given() -> None:
    free, forced = WORLDS.draw(0, 0).params, WORLDS.draw(0, 0, uniforms={"mass": 0.25}).params
    assert forced == {**free, "mass": 0.75}


def test_a_fixed_value_wins_over_a_sampler() -> None:
    assert sample(Plain(WORLDS), 0, 0, fixed={"mass": 1.25}).params["mass"] == 1.25
