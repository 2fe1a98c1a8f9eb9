"""Effects act as they say: each on its own, joined, and on a robot that is simulated."""

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.effects import BUMPER_AT, bumper, cable, cogging, effect_named
from robots.robot_env import RobotEnv


def test_bumper_pushes_back_and_never_pulls() -> None:
    past = BUMPER_AT + 0.1
    at_rest, leaving, outside = (bumper(0.0, [pos], [vel])[0] for pos, vel in ((past, 0.0), (past, -50.0), (0.0, 9.0)))
    assert at_rest == pytest.approx(-10.0)
    assert leaving == 0.0
    assert outside == 0.0


def test_joined_effects_are_the_sum() -> None:
    state = ([0.5, -0.3], [1.0, -2.0])
    both = effect_named("cable+cogging")
    assert both is not None
    assert both(0.0, *state) == [a + b for a, b in zip(cable(0.0, *state), cogging(0.0, *state), strict=True)]
    assert effect_named("none") is None


def test_an_unknown_effect_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="bumper"):
        effect_named("bumpers")


@pytest.mark.parametrize(("effect", "least", "most"), [("none", 0.7, 9.0), ("bumper", BUMPER_AT, 0.7)])
def test_a_cart_does_not_get_far_past_the_bumper(effect: str, least: float, most: float) -> None:
    with RobotEnv("cartpole", task="swing_up", effect=effect_named(effect)) as env:
        env.reset(seed=0)
        furthest = max(_cart_after(env) for _ in range(60))
    assert least < furthest < most


def _cart_after(env: RobotEnv) -> float:
    env.step(np.ones(1))
    return float(env.robot.world.joint_pos[0])
