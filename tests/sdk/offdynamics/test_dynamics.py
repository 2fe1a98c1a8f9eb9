"""Worlds that differ from those of a robot's files, and what of that a target takes over from its source."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.robot_env import RobotEnv
from robots.spec import load_robot
from sdk.config import TrainConfig
from sdk.engines.local import make_worlds
from sdk.offdynamics.dynamics import effect_of, elsewhere, end_stops, in_engine, randomization_of
from sdk.offdynamics.settings import Dynamics, TargetSettings
from tests.sdk.tiny_runs import tiny

SPEC, OWN = load_robot("servo_arm")


def there(config: TrainConfig, **settings: object) -> TrainConfig:
    return elsewhere(config, TargetSettings.parse(settings))


def contexts(config: TrainConfig) -> dict[str, np.ndarray]:
    worlds = make_worlds(config, size=2, seed=0)
    try:
        names = randomization_of(config.dynamics or Dynamics(), OWN).names
        return dict(zip(names, worlds.begin([0, 1])[1].T, strict=True))
    finally:
        worlds.close()


def test_a_parameter_is_held_at_its_value_and_the_others_are_drawn_as_before() -> None:
    here, held = contexts(tiny("robust")), contexts(there(tiny("robust"), params={"payload_mass": 1.1}))
    assert held["payload_mass"][0] == held["payload_mass"][1]
    assert held["arm_mass"].tolist() == here["arm_mass"].tolist()


def test_nominal_worlds_are_all_alike() -> None:
    config = tiny("robust", "dynamics.nominal=true")
    worlds = make_worlds(config, size=2, seed=0)
    try:
        assert worlds.begin([0, 1])[1].shape == (2, 0)
    finally:
        worlds.close()


def test_an_entry_of_the_target_s_own_joins_those_of_its_source() -> None:
    dead = {"parameter": "motor_strength", "unit": "1", "draw": {"distribution": "choice", "values": [0.0]}}
    config = there(tiny("robust", "dynamics.nominal=true"), randomization={"dead": dead})
    assert config.dynamics is not None
    assert randomization_of(config.dynamics, OWN).names == ("dead",)
    worlds = make_worlds(config, size=1, seed=0)
    try:
        worlds.begin([0])
        moved = [worlds.step(np.ones((1, worlds.action_size))).obs for _ in range(5)]
        lively = make_worlds(tiny("robust", "dynamics.nominal=true"), size=1, seed=0)
        lively.begin([0])
        alive = [lively.step(np.ones((1, lively.action_size))).obs for _ in range(5)]
        lively.close()
    finally:
        worlds.close()
    assert not np.allclose(moved[-1], alive[-1], atol=1e-3)


def test_a_target_may_be_the_same_worlds_in_another_engine() -> None:
    """The pendulum's geared rotors are integrated differently, so that close is not equal."""
    pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")

    def play(config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
        worlds = make_worlds(config, size=1, seed=0)
        try:
            context = worlds.begin([5])[1]
            return context, np.array([worlds.step(np.full((1, 2), 0.4)).obs for _ in range(10)])
        finally:
            worlds.close()

    here = tiny("robust", "robot=double_pendulum")
    source, target = play(here), play(there(here, engine="mujoco"))
    assert np.array_equal(source[0], target[0])
    assert not np.array_equal(source[1], target[1])
    assert np.abs(source[1] - target[1]).max() < 0.1
    assert np.array_equal(target[1], play(in_engine(here, "mujoco"))[1])
    assert np.array_equal(source[1], play(there(in_engine(here, "mujoco"), engine="pybullet"))[1])


def test_a_toy_is_in_no_engine() -> None:
    config = TrainConfig(algo="sac", toy={"name": "linear"})  # type: ignore[arg-type]
    assert in_engine(config, None) is config
    with pytest.raises(ConfigError, match="the toy 'linear' has no physics"):
        in_engine(config, "mujoco")


def test_end_stops_push_back_and_never_pull() -> None:
    stops = end_stops({"b": (-0.5, 0.4)}, ("a", "b"))
    assert stops(0.0, [9.0, 0.3], [0.0, 9.0]) == [0.0, 0.0]
    assert stops(0.0, [9.0, 0.5], [0.0, 0.0])[1] == pytest.approx(-200.0)
    assert stops(0.0, [9.0, 0.5], [0.0, -50.0])[1] == 0.0
    assert stops(0.0, [9.0, -0.6], [0.0, -1.0])[1] == pytest.approx(220.0)


def test_a_wall_stops_the_cheetah() -> None:
    spec, _ = load_robot("half_cheetah")
    env = RobotEnv("half_cheetah", effect=effect_of(Dynamics(limits={"ignorex": (-9.0, 0.2)}), spec))
    try:
        env.reset(seed=0)
        furthest = 0.0
        index = spec.joint_names.index("ignorex")
        for _ in range(60):
            env.robot.world.push((600.0, 0.0, 0.0))
            env.step(np.zeros(6))
            furthest = max(furthest, env.robot.world.joint_pos[index])
    finally:
        env.close()
    assert 0.0 < furthest < 0.6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"params": {"payload": 1.0}}, "no parameter 'payload'; did you mean 'payload_mass'"),
        ({"limits": {"sholder": (0.0, 1.0)}}, "no joint 'sholder'"),
        ({"toy": {"lost": 1.0}}, "'servo_arm' is a robot"),
    ],
)
def test_what_a_robot_does_not_have_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_worlds(there(tiny("robust"), **settings), size=1, seed=0)


def test_a_toy_has_no_dynamics() -> None:
    with pytest.raises(ConfigError, match="only robots have dynamics"):
        TrainConfig.parse({"algo": "sac", "toy": {"name": "linear"}, "dynamics": {"nominal": True}})


def test_a_target_toy_differs_in_its_settings_alone() -> None:
    config = TrainConfig(algo="sac", toy={"name": "linear", "settings": {"tasks": 7}})  # type: ignore[arg-type]
    assert elsewhere(config, TargetSettings(toy={"lost": 1.0})).toy.settings == {"tasks": 7, "lost": 1.0}  # type: ignore[union-attr]
