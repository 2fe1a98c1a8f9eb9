"""Known truth, from logs to the posterior: found where it can be, left open where it cannot, fit for training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots.identification.segments import Run
from robots.identification.truth import Drive, Sensors, simulated_log
from robots.logbook.errors import LogError
from robots.robot_env import RobotEnv
from robots.spec import load_robot
from sdk.identify.run import Identification, Task, identify
from sdk.identify.settings import Settings
from tests.sdk.command_line import Simshift

pytest.importorskip("cma", reason="a fit needs cma")

ARM, WORLDS = load_robot("servo_arm")
TRUTH = {"payload_mass": 0.9, "coulomb_friction": 0.15, "viscous_friction": 0.06, "motor_delay": 0.02}
HELD = ("arm_mass", "dead_band", "motor_gain")
QUICK = Settings(horizon=0.24, segments=32, evaluations=40, particles=40, rounds=2)


def run(seed: int, seconds: float = 10.0) -> Run:
    """A run of the arm in the true world, with noise, late commands and lost readings."""
    sensors, drive = Sensors(0.002, 0.02, dropout=0.02), Drive(0.25, 0.25)
    return Run(simulated_log(ARM, WORLDS, TRUTH, seconds, sensors, drive, seed))


@pytest.fixture(scope="module")
def found() -> Identification:
    return identify(Task(ARM, WORLDS, [run(0)], [run(1, 5.0)], hold=HELD), QUICK)


def test_what_was_injected_is_found_with_its_uncertainty(found: Identification) -> None:
    rows = {row["parameter"]: row for row in found.facts["parameters"]}
    assert set(rows) == set(TRUTH)
    for name, truth in TRUTH.items():
        row = rows[name]
        low, high = row["prior"]
        assert row["verdict"] == "identified", name
        assert abs(row["mean"] - truth) < 3 * row["sd"], name
        assert row["sd"] < 0.1 * (high - low), name
    assert found.facts["validation"]["rmse"][0] < 0.5 * found.facts["validation"]["nominal"][0]
    assert 0.8 < found.facts["validation"]["covered"] < 0.99
    assert found.facts["simulations"] > QUICK.evaluations
    assert found.facts["not_told"] == []


def test_the_posterior_is_a_distribution_that_the_environment_takes(found: Identification) -> None:
    again = Randomization.parse(json.loads(json.dumps(found.randomization.plain())))
    assert set(again.names) == set(WORLDS.names)
    assert again.parameters["motor_gain"] == WORLDS.parameters["motor_gain"]
    env = RobotEnv("servo_arm", randomization=again)
    masses = []
    for world in range(20):
        _, info = env.reset(seed=0, options={"world": world})
        masses.append(info["params"]["payload_mass"])
    env.close()
    assert np.mean(masses) == pytest.approx(0.9, abs=0.1)
    assert np.std(masses) < 0.1


def test_gain_and_masses_are_reported_as_hiding_each_other(found: Identification) -> None:
    """The torque scale of a pendulum and its mass: no log of its motion separates them."""
    logs = [run(0)], [run(1, 5.0)]
    open_ = Task(ARM, WORLDS, *logs, only=("payload_mass", "motor_gain", "coulomb_friction", "viscous_friction"))
    ridge = identify(open_, QUICK)
    pairs = {frozenset(pair["pair"]) for pair in ridge.facts["pairs"]}
    assert frozenset({"payload_mass", "motor_gain"}) in pairs
    spread, known = (
        next(row["sd"] for row in one.facts["parameters"] if row["parameter"] == "payload_mass")
        for one in (ridge, found)
    )
    assert spread > 3 * known
    place = [ridge.prior.names.index(name) for name in ("payload_mass", "motor_gain")]
    assert np.corrcoef(ridge.points[:, place], rowvar=False)[0, 1] > 0.9
    assert "motor_gain" in ridge.randomization.groups["identified"].members


def test_what_cannot_be_identified_is_refused() -> None:
    logs = [run(0, 3.0)], [run(1, 3.0)]
    with pytest.raises(ConfigError, match="cannot identify 'position_noise'"):
        identify(Task(ARM, WORLDS, *logs, only=("position_noise",)), QUICK)
    still = Run(simulated_log(ARM, WORLDS, {}, 3.0, Sensors(0.05, 0.5), Drive(1e-4, 1e-4)))
    with pytest.raises(ConfigError, match="the logs tell nothing about dead_band"):
        identify(Task(ARM, WORLDS, [still], [still], only=("dead_band",)), QUICK)
    silent = Run(simulated_log(ARM, WORLDS, {}, 3.0, Sensors(0.01, 0.1), Drive(0.0, 0.0)))
    with pytest.raises(LogError, match="every command stays"):
        identify(Task(ARM, WORLDS, [silent], [silent]), QUICK)


def test_the_command_writes_posterior_and_picture(simshift: Simshift, tmp_path: Path) -> None:
    log = run(0, 6.0).log
    names = ["t", "angle", "speed", "torque"]
    rows = np.column_stack([log.time, np.rad2deg(log.joint_pos), np.rad2deg(log.joint_vel), log.command])
    (tmp_path / "run.csv").write_text("\n".join([",".join(names), *(",".join(map(repr, r)) for r in rows.tolist())]))
    (tmp_path / "map.yaml").write_text(
        "time: t\njoints: {shoulder: {unit: deg, pos: angle, vel: speed, command: torque}}\n"
    )
    to = tmp_path / "out/posterior.yaml"
    options = ["--columns", tmp_path / "map.yaml", "--only", "payload_mass", "--only", "motor_delay", "--jobs", "2"]
    options += ["--segments", "12", "--evaluations", "10", "--particles", "20", "--json", "-o", to]
    options += ["--train-in", tmp_path / "narrow"]
    done = simshift("identify", "servo_arm", "--logs", tmp_path / "run.csv", *options)
    assert done.code == 0, done.err
    facts = json.loads(done.out, parse_constant=pytest.fail)
    assert [row["parameter"] for row in facts["parameters"]] == ["motor_delay", "payload_mass"]
    assert facts["train"] == ["run/train"]
    assert to.with_suffix(".png").stat().st_size > 10_000
    posterior = Randomization.load(to)
    assert posterior.parameters["payload_mass"].draw != WORLDS.parameters["payload_mass"].draw
    assert load_robot(str(tmp_path / "narrow/servo_arm"))[1] == posterior
    wrong = simshift("identify", "servo_arm", "--logs", tmp_path / "run.csv", *options, "--only", "payload")
    assert wrong.code == 2
    assert "cannot identify 'payload'; did you mean 'payload_mass'" in " ".join(wrong.err.split())
