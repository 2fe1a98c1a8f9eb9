"""What every driver promises, asked of each in turn with something real or faithful at its other end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from math import inf, nan
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from robots.contract import Contract
from robots.drivers.base import Driver, DriverError, Features, open_driver, schemes
from robots.packets import Kind
from robots.safety import UnsafeCommand
from robots.twin.server import Twin, TwinSettings
from tests.robots.drivers import fake_ros2
from tests.robots.drivers.serial_robot import SerialRobot
from tests.robots.drivers.test_replay import record


class Bench(NamedTuple):
    """A driver with a robot behind it: `safe` says whether the robot got the safe command last, `absent` a dead end."""

    url: str
    safe: Callable[[Any], bool]
    absent: str | None


def task_of(contract: Contract) -> str:
    return "track_rewarded" if contract.needs_reward else "track_target"


@contextmanager
def sim(contract: Contract, folder: Path) -> Iterator[Bench]:
    yield Bench(f"sim://servo_arm?task={task_of(contract)}", lambda driver: driver._trials.held == [0.0], None)


@contextmanager
def udp(contract: Contract, folder: Path) -> Iterator[Bench]:
    twin = Twin(TwinSettings(task=task_of(contract), pace="lockstep", client_timeout=1.0))
    score = SimpleNamespace(safe_ticks=0)

    def serve() -> None:
        nonlocal score
        score = twin.run()  # type: ignore[assignment]

    thread = Thread(target=serve)
    thread.start()

    def safe(driver: Driver) -> bool:
        driver.read()
        return twin._trials.held == [0.0] and twin._score.safe_ticks > 0

    yield Bench(f"udp://127.0.0.1:{twin.port}", safe, "udp://127.0.0.1:9")
    if thread.is_alive() and not score.safe_ticks and not twin._link.clients:
        driver = open_driver(f"udp://127.0.0.1:{twin.port}")  # a twin waits for its first client for ever
        driver.connect()
        driver.close()
    thread.join(10.0)
    twin.close()


@contextmanager
def replay(contract: Contract, folder: Path) -> Iterator[Bench]:
    path = record(folder / "run.npz", contract)
    yield Bench(f"replay://{path}?speed=0", lambda driver: driver.written[-1] == {"shoulder": 0.0}, None)


@contextmanager
def serial(contract: Contract, folder: Path) -> Iterator[Bench]:
    robot = SerialRobot(contract)

    def safe(driver: Driver) -> bool:
        while driver.read().sequence < len(robot.heard):
            pass
        return robot.heard[-1].kind is Kind.STOP

    yield Bench(f"serial://{robot.path}", safe, "serial:///dev/ttyNOT")
    robot.close()


@contextmanager
def ros2(contract: Contract, folder: Path) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        ros = fake_ros2.install(patch)
        ros.send("/arm/signals/joint_pos_target", fake_ros2.Float64MultiArray((0.5,)))
        state = fake_ros2.JointState(name=["shoulder"], position=[0.0], velocity=[0.0])

        def sense() -> None:
            ros.send("/arm/reward", fake_ros2.Float64(0.01 * len(ros.sent)))
            ros.send("/arm/joint_states", state)

        ros.answer = sense
        sense()
        yield Bench("ros2://arm", lambda driver: ros.sent[-1][1].data == [0.0], None)


BENCHES: dict[str, Callable[[Contract, Path], AbstractContextManager[Bench]]] = {
    "sim": sim,
    "udp": udp,
    "replay": replay,
    "serial": serial,
    "ros2": ros2,
}


@pytest.fixture(params=schemes())
def bench(request: pytest.FixtureRequest, contract: Contract, tmp_path: Path) -> Iterator[Bench]:
    with BENCHES[request.param](contract, tmp_path) as bench:
        yield bench


@pytest.fixture
def driver(bench: Bench, contract: Contract) -> Iterator[Driver]:
    driver = open_driver(bench.url, contract)
    yield driver
    driver.close()


def test_features_are_known_before_connecting(driver: Driver, contract: Contract) -> None:
    features = driver.features
    assert features is not None
    assert features.contract_fingerprint == contract.fingerprint
    assert features.joint_names == contract.joint_names
    assert features.signal_sizes == {signal.name: signal.size for signal in contract.signals}
    assert features.pace in ("realtime", "lockstep")
    assert features.safe == Features.of(contract).safe


def test_connecting_twice_changes_nothing(driver: Driver) -> None:
    assert driver.connect() == driver.connect() == driver.features


def test_the_first_reading_starts_a_trial_and_has_every_signal(driver: Driver, contract: Contract) -> None:
    driver.connect()
    reading = driver.read()
    assert reading.trial_start
    assert {name: len(values) for name, values in reading.signals.items()} == {s.name: s.size for s in contract.signals}


def test_no_reward_is_given_where_the_contract_needs_none(driver: Driver) -> None:
    assert not driver.connect().gives_reward
    assert driver.read().reward is None


@pytest.mark.parametrize("scheme", schemes())
def test_a_reward_comes_with_every_reading_where_the_contract_needs_one(
    scheme: str, rewarded: Contract, tmp_path: Path
) -> None:
    with BENCHES[scheme](rewarded, tmp_path) as bench:
        driver = open_driver(bench.url, rewarded)
        assert driver.features is not None
        assert driver.features.gives_reward
        assert driver.connect() == driver.features
        first = driver.read()
        driver.write({"shoulder": 5.0})
        second = driver.read()
        driver.close()
    assert first.reward == 0.0
    assert second.reward
    assert {name: len(values) for name, values in second.signals.items()} == {s.name: s.size for s in rewarded.signals}


def test_what_was_sent_is_returned_inside_the_limits(driver: Driver) -> None:
    driver.connect()
    driver.read()
    assert driver.write({"shoulder": 99.0}) == {"shoulder": 10.0}


@pytest.mark.parametrize("command", [{}, {"elbow": 1.0}, {"shoulder": 1.0, "elbow": 1.0}])
def test_a_command_for_other_joints_is_refused(driver: Driver, command: dict[str, float]) -> None:
    driver.connect()
    driver.read()
    with pytest.raises(DriverError, match="the robot has shoulder"):
        driver.write(command)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_command_that_is_not_finite_is_refused(driver: Driver, value: float) -> None:
    driver.connect()
    driver.read()
    with pytest.raises(UnsafeCommand, match="not finite"):
        driver.write({"shoulder": value})


def test_stop_sends_the_safe_command(driver: Driver, bench: Bench) -> None:
    driver.connect()
    driver.read()
    driver.write({"shoulder": 5.0})
    driver.read()
    assert driver.stop() == {"shoulder": 0.0}
    assert bench.safe(driver)


def test_stop_and_close_are_safe_at_any_time(driver: Driver) -> None:
    assert driver.stop() == {"shoulder": 0.0}
    driver.close()
    driver.close()
    assert driver.stop() == {"shoulder": 0.0}


def test_a_robot_that_is_not_there_is_an_error_that_says_what_to_do(
    bench: Bench, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bench.absent is None:
        pytest.skip("nothing outside this process is needed to connect")
    driver = open_driver(bench.absent, contract)
    monkeypatch.setattr(driver, "_connect_timeout", 0.15)
    with pytest.raises(DriverError, match="; (start|check)"):
        driver.connect()
    driver.close()


def test_reading_before_connecting_says_so(driver: Driver) -> None:
    if "robots.drivers.sim" in type(driver).__module__:
        pytest.skip("the simulated robot is always there")
    with pytest.raises(DriverError, match=r"call connect\(\) first"):
        driver.read()


def test_every_driver_has_a_bench_and_imports_without_its_library() -> None:
    assert sorted(BENCHES) == schemes()
    assert "rclpy" not in sys.modules
