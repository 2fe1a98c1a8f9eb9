"""The model explains its own runs at the truth and nowhere else; exchanged joints are caught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.identification.order import GOOD, POOR, exchanges, require_order, unexplained
from robots.identification.predictor import Predictor, identifiable
from robots.identification.segments import Run, cut
from robots.identification.truth import Drive, Sensors, simulated_log
from robots.logbook.errors import LogError
from robots.logs import Log
from robots.replay_log import predict, segment_rows
from robots.spec import load_robot

ARM, ARM_WORLDS = load_robot("servo_arm")
CHAIN, CHAIN_WORLDS = load_robot("double_pendulum")
TRUTH = {"payload_mass": 0.9, "motor_gain": 1.2, "coulomb_friction": 0.15, "motor_delay": 0.03}


@pytest.fixture(scope="module")
def arm() -> Iterator[Predictor]:
    predictor = Predictor(ARM, ARM_WORLDS)
    yield predictor
    predictor.close()


@pytest.fixture(scope="module")
def chain() -> Iterator[Predictor]:
    predictor = Predictor(CHAIN, CHAIN_WORLDS)
    yield predictor
    predictor.close()


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(simulated_log(ARM, ARM_WORLDS, TRUTH, 4.0, drive=Drive(0.2, 0.15)))


def test_the_truth_explains_the_run_and_nothing_else_does(arm: Predictor, run: Run) -> None:
    segments = cut([run], 0.2, arm.dt)

    def worst(values: dict[str, float]) -> float:
        return float(np.abs(arm(values, segments) - segments.target).max())

    assert worst(TRUTH) < 1e-6
    for name, wrong in {"payload_mass": 0.8, "motor_gain": 1.1, "coulomb_friction": 0.3, "motor_delay": 0.02}.items():
        assert worst(TRUTH | {name: wrong}) > 1e-3, name


def test_what_is_not_given_is_as_the_files_say_whatever_was_foretold_before(arm: Predictor, run: Run) -> None:
    segments = cut([run], 0.2, arm.dt)
    before = arm({}, segments)
    far = arm(TRUTH, segments)
    assert np.abs(far - before).max() > 0.01
    assert np.array_equal(arm({}, segments), before)


def test_a_delay_has_a_slope(arm: Predictor, run: Run) -> None:
    segments = cut([run], 0.2, arm.dt)
    errors = [
        float(((arm(TRUTH | {"motor_delay": late}, segments) - segments.target) ** 2).sum())
        for late in (0.03, 0.031, 0.033, 0.037)
    ]
    assert errors == sorted(errors)
    assert errors[1] > 2 * errors[0]


def test_what_is_known_to_differ_between_runs_is_a_factor(arm: Predictor, run: Run) -> None:
    segments = cut([replace(run, factors={"motor_gain": 2.0})], 0.2, arm.dt)
    error = arm(TRUTH | {"motor_gain": 0.6}, segments) - segments.target
    assert np.abs(error).max() < 1e-6


def test_encoder_offsets_are_felt_by_gravity_alone() -> None:
    plain = ARM_WORLDS.plain()
    plain["parameters"]["offset"] = {
        "parameter": "encoder_offset",
        "unit": "rad",
        "draw": {"distribution": "uniform", "low": -0.3, "high": 0.3},
    }
    worlds = ARM_WORLDS.parse(plain)
    log = simulated_log(ARM, worlds, {"offset": 0.2}, 3.0, drive=Drive(0.2, 0.15))
    predictor = Predictor(ARM, worlds)
    try:
        segments = cut([Run(log)], 0.2, predictor.dt)
        assert np.abs(predictor({"offset": 0.2}, segments) - segments.target).max() < 1e-6
        assert np.abs(predictor({"offset": 0.0}, segments) - segments.target).max() > 1e-2
    finally:
        predictor.close()


def test_it_agrees_with_the_replay_of_logs(chain: Predictor) -> None:
    log = simulated_log(CHAIN, CHAIN_WORLDS, {}, 3.0, Sensors(1e-3, 0.05), Drive(0.05, 0.05))
    segments = replace(cut([Run(log)], 0.25, chain.dt), rows=(segment_rows(log, 0.25),))
    foretold = chain({"motor_delay": 0.016}, segments)[:, -2:]
    chain.robot.write("joint", "shoulder", "delay", 0.015)
    chain.robot.write("joint", "elbow", "delay", 0.015)
    steps = round(0.25 / chain.dt) * chain.dt
    assert predict(chain.robot, log, steps, 0.016).foretold == pytest.approx(foretold, abs=2e-3)


def test_only_what_joints_feel_within_a_segment_is_identified(arm: Predictor, chain: Predictor) -> None:
    assert set(ARM_WORLDS.names) - set(identifiable(arm.randomization)) == {"position_noise", "velocity_noise"}
    assert "link_mass/lower" in identifiable(chain.randomization)
    with pytest.raises(ConfigError, match="a1: the base floats"):
        Predictor(*load_robot("a1"))


def test_exchanged_joints_are_caught(chain: Predictor) -> None:
    log = simulated_log(CHAIN, CHAIN_WORLDS, {"link_mass/lower": 1.2}, 4.0, Sensors(1e-3, 0.05), Drive(0.06, 0.06))
    names = CHAIN.joint_names
    require_order(chain, [Run(log)], names, 0.25)
    (_, whole), (_, commands) = exchanges([Run(log)], names)
    fair, poor = (unexplained(chain, cut(runs, 0.25, chain.dt)) for runs in (whole, commands))
    assert GOOD < fair < POOR < poor
    for runs, what in ((whole, "shoulder and elbow exchanged"), (commands, "the commands of shoulder and elbow")):
        with pytest.raises(LogError, match=what):
            require_order(chain, runs, names, 0.25)


def test_a_run_without_commands_is_free_motion(arm: Predictor) -> None:
    log = simulated_log(ARM, ARM_WORLDS, {"payload_mass": 0.9}, 3.0, drive=Drive(0.3, 0.2))
    free = Log("free", log.time, log.joint_pos, log.joint_vel, np.zeros((len(log.time), 0)))
    assert np.isfinite(arm({"payload_mass": 0.9}, cut([Run(free)], 0.2, arm.dt))).all()
