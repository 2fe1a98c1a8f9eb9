"""The serial driver over a pseudo-terminal: real bytes, real damage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import ContractMismatch, DriverError, DriverTimeout, open_driver
from robots.drivers.serial import SerialDriver
from robots.frames import Frame, encode_frame
from robots.packets import ODD_EPISODE, SESSION_END, TRIAL_END, Kind
from tests.robots.drivers.serial_robot import SerialRobot

Make = Callable[..., SerialRobot]


@pytest.fixture
def make(contract: Contract) -> Iterator[Make]:
    made: list[SerialRobot] = []

    def make(**settings: object) -> SerialRobot:
        made.append(SerialRobot(contract, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for robot in made:
        robot.close()


def opened(robot: SerialRobot, contract: Contract) -> SerialDriver:
    driver = SerialDriver(robot.path, contract, timeout=0.5, connect_timeout=0.5)
    driver.connect()
    return driver


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


def test_a_session_over_the_line(make: Make, contract: Contract) -> None:
    robot = make()
    driver = opened(robot, contract)
    for sequence in range(1, 50):
        reading = driver.read()
        assert (reading.sequence, reading.trial_start) == (sequence, sequence == 1)
        assert reading.signals == {"joint_pos": (0.25,), "joint_vel": (0.25,), "joint_pos_target": (0.25,)}
        assert driver.write({"shoulder": 0.5 * (sequence % 7)}) == {"shoulder": 0.5 * (sequence % 7)}
    driver.read()
    driver.stop()
    driver.close()
    assert soon(lambda: robot.heard[-1].kind is Kind.BYE)
    commands = [frame for frame in robot.heard if frame.kind is Kind.COMMAND]
    assert [frame.sequence for frame in commands] == list(range(1, 50))
    assert [frame.values[0] for frame in commands] == [0.5 * (sequence % 7) for sequence in range(1, 50)]
    assert commands[3].time == pytest.approx(0.08), "a command repeats the time of the reading it answers"
    assert robot.heard[-2].kind is Kind.STOP


def test_noise_and_old_readings_are_counted_and_skipped(make: Make, contract: Contract) -> None:
    robot = make()
    driver = opened(robot, contract)
    driver.read()
    damaged = bytearray(encode_frame(robot.sense(9)))
    damaged[12] ^= 1
    robot.send(b"\xa5noise", bytes(damaged), robot.sense(5, 0.5), robot.sense(4), Frame(Kind.SENSE, 7, values=[1.0]))
    reading = driver.read()
    assert (reading.sequence, reading.signals["joint_pos"]) == (5, (0.5,))
    with pytest.raises(DriverTimeout, match="did not answer for 0.5 s"):
        driver.read()
    assert driver.old_frames == 1
    assert driver.bad_frames >= 3
    driver.close()


def test_a_frame_without_the_reward_that_the_contract_needs_is_a_bad_one(rewarded: Contract) -> None:
    robot = SerialRobot(rewarded)
    driver = opened(robot, rewarded)
    assert driver.read().reward == 0.0
    whole = robot.sense(7, 0.5)
    robot.send(whole._replace(sequence=6, values=whole.values[:-1]), whole)
    reading = driver.read()
    assert (reading.sequence, reading.reward) == (7, pytest.approx(0.06))
    assert reading.signals == {"joint_pos": (0.5,), "joint_vel": (0.5,), "joint_pos_target": (0.5,)}
    assert driver.bad_frames == 1
    driver.close()
    robot.close()


def test_an_episode_whose_first_frame_is_lost_begins_with_the_next(make: Make, contract: Contract) -> None:
    robot = make()
    driver = opened(robot, contract)
    driver.read()
    begun = []
    for sequence, flags in ((5, ODD_EPISODE), (6, ODD_EPISODE), (8, 0), (9, 0)):
        robot.send(robot.sense(sequence, flags=flags))
        begun.append(driver.read().episode_start)
    assert begun == [True, False, True, False]
    driver.close()


def test_the_end_of_a_session_is_acknowledged(make: Make, contract: Contract) -> None:
    robot = make()
    driver = opened(robot, contract)
    driver.read()
    robot.send(Frame(Kind.END, 8, 0.16, TRIAL_END | SESSION_END))
    reading = driver.read()
    assert (reading.trial_end, reading.session_end) == (True, True)
    assert soon(lambda: robot.heard[-1][:2] == (Kind.STOP, 8))
    driver.close()


def test_a_robot_of_another_contract_is_refused(make: Make, contract: Contract) -> None:
    other = Contract.parse(contract.plain() | {"control_dt": 0.01})
    with pytest.raises(ContractMismatch, match=f"{other.fingerprint[:16]}.*{contract.fingerprint[:16]}; export"):
        opened(make(), other)


def test_nobody_there_and_no_line_say_what_to_do(make: Make, contract: Contract, tmp_path: object) -> None:
    with pytest.raises(DriverTimeout, match="nobody answered at .* for 0.5 s; check power, cable and baud rate"):
        opened(make(silent=True), contract)
    for path, message in (("/dev/ttyNOT", "check the name, the cable"), ("/dev/null", "is no serial line")):
        with pytest.raises(DriverError, match=message):
            SerialDriver(path, contract).connect()
    with pytest.raises(ConfigError, match="1234 baud is no standard rate"):
        SerialDriver("/dev/null", contract, baud=1234).connect()
    with pytest.raises(ConfigError, match="does not tell its contract"):
        open_driver("serial:///dev/ttyUSB0")


def test_a_line_that_is_pulled_out_is_an_error_with_a_name(make: Make, contract: Contract) -> None:
    robot = make()
    driver = opened(robot, contract)
    driver.read()
    robot.close()
    with pytest.raises(DriverError, match=f"{robot.path}.*plug it in and run again"):
        driver.read()
    assert driver.stop() == {"shoulder": 0.0}
    driver.close()
