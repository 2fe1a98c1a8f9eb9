"""Replay of runs that the simulator made itself, where the truth is known, and of the real machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.logs import Log, command_lag, log_files, read_log
from robots.replay_log import beyond_limits, predict, predict_runs, rmse
from robots.simulated import SimulatedRobot
from robots.spec import load_robot
from robots.task import Start

REAL = Path(os.environ.get("SIMSHIFT_REAL_LOGS", Path(__file__).parents[3] / "shared/data/real_logs"))
SYSID = REAL / "dfki_double_pendulum/design_C.0/sysid"
DELAY, HORIZON = 0.016, 0.25


@pytest.fixture(scope="module")
def robot() -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(load_robot("double_pendulum")[0])
    yield robot
    robot.close()


def recorded(robot: SimulatedRobot, rows: int = 1500) -> Log:
    """A run of the simulator itself, as the real machine's are recorded, commands `DELAY` old when they act."""
    dt = robot.physics_dt
    time = dt * np.arange(rows)
    command = np.stack([0.6 * np.sin(5 * time), 0.8 * np.sin(7 * time + 1)], -1)
    late = command[np.maximum(np.arange(rows) - round(DELAY / dt), 0)]
    robot.world.reset([0.1, 0.0], [0.0, 0.0])
    for drive in robot.bank.actuators:
        drive.delay = 0.0
    robot.bank.start(late[0].tolist())
    states = []
    for torque in late.tolist():
        states.append([robot.world.joint_pos, robot.world.joint_vel])
        robot.bank.hold(torque, 1)
        robot.world.step(robot.bank.torque(robot.world.states))
    pos, vel = np.array(states).transpose(1, 0, 2)
    return Log("own", time, pos, vel, command, late)


@pytest.fixture(scope="module")
def log(robot: SimulatedRobot) -> Log:
    return recorded(robot)


def error(robot: SimulatedRobot, log: Log, delay: float = DELAY) -> float:
    return max(rmse([predict(robot, log, HORIZON, delay).error]))


def test_the_true_robot_foretells_its_own_run(robot: SimulatedRobot, log: Log) -> None:
    assert command_lag([log], [10.0, 10.0]) == pytest.approx(DELAY, abs=2e-3)
    prediction = predict(robot, log, HORIZON, DELAY)
    assert prediction.foretold.shape == prediction.measured.shape == (11, 2)
    assert max(rmse([prediction.error])) < 5e-3
    assert min(rmse([prediction.stillness_error])) > 0.1


@pytest.mark.parametrize(
    ("group", "name", "field", "factor"),
    [("link", "lower", "mass", 1.3), ("joint", "elbow", "coulomb", 3.0), ("joint", "shoulder", "gain", 0.5)],
)
def test_a_wrong_robot_foretells_worse(
    robot: SimulatedRobot, log: Log, group: str, name: str, field: str, factor: float
) -> None:
    nominal = robot.nominal(group, name, field)  # type: ignore[arg-type]
    true = error(robot, log)
    robot.write(group, name, field, factor * nominal)  # type: ignore[arg-type]
    try:
        assert error(robot, log) > 5 * true
    finally:
        robot.write(group, name, field, nominal)  # type: ignore[arg-type]
    assert error(robot, log) == true


def test_a_wrong_delay_foretells_worse_and_the_drives_keep_their_own(robot: SimulatedRobot, log: Log) -> None:
    robot.bank.actuators[0].delay = 0.006
    assert error(robot, log, DELAY + 0.03) > 3 * error(robot, log)
    assert robot.bank.actuators[0].delay == 0.006


def test_commands_beyond_the_contract_are_seen(robot: SimulatedRobot, log: Log) -> None:
    assert beyond_limits(log, robot) is None
    wild = Log("wild", log.time, log.joint_pos, log.joint_vel, 10 * log.command)
    assert beyond_limits(wild, robot) == pytest.approx(8.0, abs=0.01)


def test_what_cannot_be_replayed_is_refused(robot: SimulatedRobot, log: Log) -> None:
    with pytest.raises(ConfigError, match=r"own: 3 s are too short for a horizon of 5 s"):
        predict(robot, log, 5.0, DELAY)
    acrobot = SimulatedRobot(load_robot("double_pendulum", "acrobot")[0])
    acrobot.start(Start(), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="logs say nothing about shoulder; choose a task that drives every joint"):
        predict(acrobot, log, HORIZON, DELAY)
    acrobot.close()


@pytest.mark.skipif(not SYSID.is_dir(), reason=f"no real logs in {REAL}; set SIMSHIFT_REAL_LOGS")
def test_published_parameters_foretell_the_real_machine(robot: SimulatedRobot) -> None:
    logs = [log for path in log_files([SYSID]) if beyond_limits(log := read_log(path, 2), robot) is None]
    assert len(logs) == 7
    predictions = predict_runs(robot, logs, HORIZON, command_lag(logs, [10.0, 10.0]))
    assert np.less(rmse([p.error for p in predictions]), [0.10, 0.16]).all()
    assert np.greater(rmse([p.stillness_error for p in predictions]), [0.5, 0.8]).all()
