"""Drivers: opened by URL, sure of the contract, and calm about what a real line does to packets."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import ContractMismatch, DriverError, DriverTimeout, Features, open_driver
from robots.drivers.sim import SimDriver
from robots.drivers.udp import UdpDriver, read_features, welcome
from robots.packets import EPISODE_START, ODD_EPISODE, SESSION_END, TRIAL_END, TRIAL_START, Kind, Packet, encode
from robots.trial import RobotTrials
from tests.robots.twin_process import HandMadeRobot, hand_made, sense, shake_hands


def another(contract: Contract) -> Contract:
    return Contract.parse(contract.plain() | {"control_dt": 0.01})


@pytest.fixture
def robot(contract: Contract) -> Iterator[HandMadeRobot]:
    robot = HandMadeRobot(Features.of(contract))
    yield robot
    robot.close()


@pytest.fixture
def driver(robot: HandMadeRobot, contract: Contract) -> Iterator[UdpDriver]:
    """A driver that has shaken hands with the hand-made robot."""
    driver = UdpDriver("127.0.0.1", robot.port, contract, timeout=0.2)
    shake_hands(robot, driver)
    yield driver
    driver.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("upd://127.0.0.1:9000", "unknown driver 'upd'; did you mean 'udp'"),
        ("127.0.0.1", "names no driver.*valid: .*sim, udp"),
        ("udp://127.0.0.1", "expected udp://HOST:PORT"),
        ("udp://127.0.0.1:99999", "out of range"),
        ("sim://servo_am", "unknown robot 'servo_am'; did you mean 'servo_arm'"),
        ("sim://servo_arm?world=3", "unknown option 'world'; did you mean 'worlds'"),
        ("sim://servo_arm?worlds=three", "worlds is 'three', not int"),
        ("sim://servo_arm?worlds=0", "at least one world"),
        ("sim://servo_arm?effect=cabel", "unknown effect 'cabel'; did you mean 'cable'"),
        ("sim://servo_arm?engine=mujco", "'engine' is 'mujco': Input should be 'pybullet' or 'mujoco'"),
    ],
)
def test_a_wrong_url_is_explained(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        open_driver(url)


def test_features_are_known_before_connecting(contract: Contract) -> None:
    driver = open_driver("udp://127.0.0.1:9", contract)
    assert driver.features == Features.of(contract)
    assert driver.features.safe_command == {"shoulder": 0.0}


def test_nobody_there_is_an_error_that_says_what_to_do() -> None:
    driver = UdpDriver("127.0.0.1", 9, connect_timeout=0.15)
    with pytest.raises(DriverTimeout, match=r"nobody answered at udp://127.0.0.1:9 for 0.15 s; start the robot"):
        driver.connect()
    assert driver.stop() == {}
    driver.close()


def test_the_policy_refuses_a_robot_of_another_contract(robot: HandMadeRobot, contract: Contract) -> None:
    answering = Thread(target=robot.welcome)
    answering.start()
    driver = UdpDriver("127.0.0.1", robot.port, another(contract))
    with pytest.raises(ContractMismatch, match=f"{another(contract).fingerprint[:12]}.*{contract.fingerprint[:12]}"):
        driver.connect()
    answering.join()


def test_an_incomplete_welcome_is_refused(robot: HandMadeRobot) -> None:
    def answer() -> None:
        robot._features = Features("servo_arm", "f", ("a", "b"), {"x": 1}, 0.02, (0.0,))
        robot.welcome()

    answering = Thread(target=answer)
    answering.start()
    with pytest.raises(DriverError, match="WELCOME is incomplete.*1 safe commands for 2 joints"):
        UdpDriver("127.0.0.1", robot.port).connect()
    answering.join()


def test_the_newest_reading_wins_and_old_ones_are_counted(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(sense(1, 0.1), sense(3, 0.3), sense(2, 0.2), sense(3, 0.9))
    reading = driver.read()
    assert (reading.sequence, reading.signals["joint_pos"]) == (3, (0.3,))
    assert driver.old_packets == 2
    assert reading.signals == {"joint_pos": (0.3,), "joint_vel": (0.0,), "joint_pos_target": (0.5,)}


def test_a_skipped_reading_hands_its_start_on(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(sense(1, flags=TRIAL_START | EPISODE_START), sense(2))
    first = driver.read()
    assert (first.sequence, first.trial_start, first.episode_start) == (2, True, True)
    robot.send(sense(3))
    assert not driver.read().episode_start


def test_an_episode_whose_first_reading_is_lost_begins_with_the_next(robot: HandMadeRobot, driver: UdpDriver) -> None:
    begun = []
    flags = (TRIAL_START | EPISODE_START, 0, ODD_EPISODE, ODD_EPISODE, 0, EPISODE_START | ODD_EPISODE, ODD_EPISODE)
    for sequence, flag in enumerate(flags, start=1):
        robot.send(sense(sequence, flags=flag))
        begun.append(driver.read().episode_start)
    assert begun == [True, False, True, False, True, True, False]


def test_what_is_no_reading_is_counted_and_skipped(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(b"noise", Packet(Kind.SENSE, 1, values=(1.0,)), sense(2, 0.2))
    assert driver.read().sequence == 2
    assert driver.bad_packets == 2


def test_a_repeated_reading_is_answered_again(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(sense(1))
    driver.read()
    assert driver.write({"shoulder": 1.5}) == {"shoulder": 1.5}
    robot.send(sense(1))
    with pytest.raises(DriverTimeout, match="did not answer for 0.2 s"):
        driver.read()
    answers = [robot.receive(), robot.receive()]
    assert [(a.kind, a.sequence, a.values) for a in answers] == [(Kind.COMMAND, 1, (1.5,))] * 2


def test_a_robot_without_a_reward_welcomes_as_ever() -> None:
    features = Features("arm", "f00d", ("hip", "knee"), {"pos": 2}, 0.02, (0.0, 1.5))
    assert encode(Packet(Kind.WELCOME, body=welcome(features))) == (
        b"SSHF\x01\x02\x00\x00\x00\x00\x00\x00" + bytes(8) + b"\x92\x00"
        b'{"robot": "arm", "contract": "f00d", "joints": ["hip", "knee"], "signals": {"pos": 2}, "control_dt": 0.02, '
        b'"safe": [0.0, 1.5], "pace": "realtime"}\x1e\xa3\x89K'
    )
    assert read_features(welcome(features)) == features


def test_a_welcome_that_announces_a_reward_is_read_back_and_a_garbled_one_refused(rewarded: Contract) -> None:
    features = Features.of(rewarded)
    assert read_features(welcome(features)) == features
    assert features.gives_reward
    with pytest.raises(DriverError, match="WELCOME is incomplete.*reward is 'no', not true or false"):
        read_features(welcome(features) | {"reward": "no"})


def test_the_reward_is_the_last_value_and_packets_without_it_are_bad_ones(rewarded: Contract) -> None:
    with hand_made(rewarded) as (robot, driver):
        robot.send(sense(1), sense(2, 0.2, reward=-0.5), sense(3)._replace(values=(0.3, 0.0, 0.5, 0.0, 0.0)))
        reading = driver.read()
        assert (reading.sequence, reading.reward, driver.bad_packets) == (2, -0.5, 2)
        assert reading.signals == {"joint_pos": (0.2,), "joint_vel": (0.0,), "joint_pos_target": (0.5,)}


def test_a_reward_from_a_robot_that_announced_none_is_a_bad_packet(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(sense(1, reward=0.5), sense(2))
    assert driver.read().reward is None
    assert driver.bad_packets == 1


def test_the_end_is_acknowledged(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(Packet(Kind.END, 5, 0.1, TRIAL_END | SESSION_END))
    reading = driver.read()
    assert reading.trial_end
    assert reading.session_end
    assert robot.receive()[:2] == (Kind.STOP, 5)


def test_commands_go_by_name(robot: HandMadeRobot, driver: UdpDriver) -> None:
    robot.send(sense(1))
    driver.read()
    for command in ({}, {"elbow": 1.0}, {"shoulder": 1.0, "elbow": 1.0}):
        with pytest.raises(DriverError, match="the robot has shoulder"):
            driver.write(command)


def test_stop_and_goodbye_reach_the_robot(robot: HandMadeRobot, driver: UdpDriver) -> None:
    assert driver.stop() == {"shoulder": 0.0}
    driver.close()
    driver.close()
    assert [robot.receive().kind, robot.receive().kind] == [Kind.STOP, Kind.BYE]
    with pytest.raises(DriverError, match="not connected"):
        driver.read()


def test_the_simulated_driver_plays_all_its_worlds() -> None:
    driver = SimDriver(worlds=2, effect="cable+cogging")
    steps, starts, ended = 0, 0, False
    driver.connect()
    while not ended:
        reading = driver.read()
        ended = reading.session_end
        starts += reading.episode_start
        if not reading.trial_end:
            steps += 1
            assert driver.write({"shoulder": 50.0}) == {"shoulder": 10.0}
    assert (steps, starts, len(driver.scores)) == (600, 6, 2)
    assert [score.complete for score in driver.scores] == [True, True]
    with pytest.raises(DriverError, match="all 2 trials are played"):
        driver.read()
    driver.close()


def test_the_simulated_driver_tells_the_reward_of_training_across_episodes() -> None:
    played: dict[str, Any] = {"seed": 3, "stream": "train", "task": "track_rewarded"}
    driver, trials = SimDriver(**played), RobotTrials("servo_arm", 1, **played)
    trials.begin([0])
    told, paid, starts = [driver.read().reward], [0.0], [0]
    for k in range(250):
        action = 0.4 * np.sin(0.1 * k)
        driver.write({"shoulder": 10.0 * action})
        reading, step = driver.read(), trials.step(np.array([[action]]))
        told.append(reading.reward)
        paid.append(float(step.reward[0]))
        assert reading.episode_start == step.episode_start[0]
        starts += [k + 1] if reading.episode_start else []
    assert told == paid
    assert starts == [0, 100, 200]
    driver.close()
    trials.close()


def test_the_simulated_driver_plays_in_either_engine() -> None:
    pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")

    def readings(engine: str) -> list[float]:
        driver, found = open_driver(f"sim://servo_arm?seed=3&engine={engine}"), []
        for k in range(40):
            found += driver.read().signals["joint_pos"]
            driver.write({"shoulder": 5.0 if k % 8 < 4 else -5.0})
        driver.close()
        return found

    assert readings("mujoco") == pytest.approx(readings("pybullet"), abs=1e-6)


def test_the_simulated_driver_checks_the_contract(contract: Contract) -> None:
    driver = SimDriver(contract=another(contract))
    with pytest.raises(ContractMismatch, match="the policy is made for servo_arm"):
        driver.connect()
    driver.close()
