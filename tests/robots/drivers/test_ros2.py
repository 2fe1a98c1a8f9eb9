"""The ROS 2 driver: joints by name, signals from where they are, and messages that name the topic that is silent."""

from __future__ import annotations

import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import DriverError, DriverTimeout, open_driver
from robots.drivers.ros2 import Ros2Driver
from robots.spec import load_robot
from tests.robots.drivers.fake_ros2 import (
    Float64,
    Float64MultiArray,
    Imu,
    JointState,
    Ros,
    SignalHandlerOptions,
    install,
)


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Ros:
    return install(monkeypatch)


@pytest.fixture(scope="module")
def dog() -> Contract:
    return load_robot("a1")[0].contract


def opened(contract: Contract, **settings: object) -> Ros2Driver:
    driver = Ros2Driver("arm", contract, timeout=0.05, connect_timeout=0.05, **settings)  # type: ignore[arg-type]
    driver.connect()
    return driver


def speak(ros: Ros, position: float, time: float) -> None:
    ros.send("/arm/signals/joint_pos_target", Float64MultiArray((0.5,)))
    ros.send("/arm/joint_states", JointState(time, name=["shoulder"], position=[position], velocity=[-1.0]))


def test_the_newest_joint_state_is_the_reading(ros: Ros, contract: Contract) -> None:
    speak(ros, 0.1, 1.5)
    driver = opened(contract)
    first = driver.read()
    assert (first.sequence, first.time, first.trial_start) == (1, 1.5, True)
    assert first.signals == {"joint_pos": [0.1], "joint_vel": [-1.0], "joint_pos_target": [0.5]}
    for position in (0.2, 0.3):
        ros.send("/arm/joint_states", JointState(2.25, name=["shoulder"], position=[position], velocity=[0.0]))
    second = driver.read()
    assert (second.sequence, second.time, second.trial_start, second.signals["joint_pos"]) == (2, 2.25, False, [0.3])
    with pytest.raises(DriverTimeout, match="nothing on /arm/joint_states for 0.05 s; see 'ros2 topic hz'"):
        driver.read()
    driver.close()


def test_what_was_sent_last_needs_no_topic_of_its_own(ros: Ros) -> None:
    iiwa = load_robot("kuka", "reach")[0].contract
    names, zeros = list(iiwa.joint_names), [0.0] * 7
    for topic in ("tool_pos_world", "tool_pos_goal"):
        ros.send(f"/arm/signals/{topic}", Float64MultiArray((0.1, 0.2, 0.3)))
    ros.send("/arm/joint_states", JointState(0.0, name=names, position=zeros, velocity=zeros))
    driver = opened(iiwa)
    pairs = zip(driver.features.safe, iiwa.action.offset, iiwa.action.scale, strict=True)
    assert driver.read().signals["last_action"] == [(safe - offset) / scale for safe, offset, scale in pairs]
    middle = dict(zip(names, iiwa.action.offset, strict=True))
    driver.write({**middle, names[0]: iiwa.action.offset[0] + 0.5 * iiwa.action.scale[0]})
    ros.send("/arm/joint_states", JointState(0.02, name=names, position=zeros, velocity=zeros))
    assert driver.read().signals["last_action"] == pytest.approx([0.5, *zeros[1:]])
    driver.close()


def test_joints_go_by_name_and_the_imu_tells_gravity(ros: Ros, dog: Contract) -> None:
    names = [*reversed(dog.joint_names), "tail"]
    fields = {"position": [0.01 * i for i in range(13)], "velocity": [0.0] * 13}
    ros.send("/arm/joint_states", JointState(0.0, name=names, **fields))
    for signal in dog.signals:
        ros.send(f"/arm/signals/{signal.name}", Float64MultiArray((0.0,) * signal.size))
    ros.send("/arm/imu", Imu((0.0, 1.0, 0.0, 0.0), (1.0, 2.0, 3.0)))
    driver = opened(dog)
    signals = driver.read().signals
    assert signals["joint_pos"] == pytest.approx([0.01 * i for i in reversed(range(12))])
    assert signals["projected_gravity"] == pytest.approx([0.0, 0.0, 1.0]), "upside down"
    assert signals["base_ang_vel_body"] == [1.0, 2.0, 3.0]
    driver.close()


def test_a_reward_that_is_needed_is_waited_for_and_the_newest_counts(ros: Ros, rewarded: Contract) -> None:
    speak(ros, 0.0, 0.0)
    with pytest.raises(DriverTimeout, match="nothing on /arm/reward for 0.05 s; start the robot"):
        opened(rewarded)
    speak(ros, 0.0, 0.0)
    for reward in (0.0, -0.25):
        ros.send("/arm/reward", Float64(reward))
    driver = opened(rewarded)
    assert driver.read().reward == -0.25
    driver.close()


def test_a_silent_topic_and_a_missing_joint_are_named(ros: Ros, contract: Contract) -> None:
    ros.send("/arm/joint_states", JointState(0.0, name=["elbow"], position=[0.0], velocity=[0.0]))
    with pytest.raises(DriverTimeout, match="nothing on /arm/signals/joint_pos_target for 0.05 s; start the robot"):
        opened(contract)
    assert (ros.nodes, ros.running) == (0, False), "nothing is left behind"
    speak(ros, 0.0, 0.0)
    ros.send("/arm/joint_states", JointState(0.0, name=["elbow"], position=[0.0], velocity=[0.0]))
    driver = opened(contract)
    with pytest.raises(DriverError, match="tells no position of shoulder; it names elbow: rename"):
        driver.read()
    driver.close()


def test_commands_go_out_as_an_array_or_by_joint(ros: Ros, contract: Contract) -> None:
    for command in ("array", "joints"):
        speak(ros, 0.0, 0.0)
        driver = opened(contract, command=command)
        driver.write({"shoulder": 3.0})
        driver.close()
    (topic, array), (_, joints) = ros.sent
    assert (topic, array.data) == ("/arm/command", [3.0])
    assert (joints.name, joints.effort, joints.position) == (["shoulder"], [3.0], [])


def test_rclpy_leaves_ctrl_c_alone_and_only_its_starter_stops_it(ros: Ros, contract: Contract) -> None:
    speak(ros, 0.0, 0.0)
    driver = opened(contract)
    assert ros.handlers is SignalHandlerOptions.NO
    driver.close()
    assert not ros.running
    ros.running = True
    speak(ros, 0.0, 0.0)
    opened(contract).close()
    assert ros.running, "somebody else's"


def test_stop_survives_a_publisher_that_is_gone(ros: Ros, contract: Contract) -> None:
    speak(ros, 0.0, 0.0)
    driver = opened(contract)

    def gone(message: object) -> None:
        raise RuntimeError("context is shut down")

    driver._publisher.publish = gone
    assert driver.stop() == {"shoulder": 0.0}
    driver.close()


def test_without_ros_the_message_says_what_to_source(contract: Contract) -> None:
    driver = open_driver("ros2://arm", contract)
    with pytest.raises(DriverError, match="needs 'rclpy': source a ROS 2 installation"):
        driver.connect()


def test_an_unknown_way_to_command_is_refused(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="command is 'arrays'; did you mean 'array'"):
        open_driver("ros2://arm?command=arrays", contract)
