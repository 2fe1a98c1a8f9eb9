"""Rewards over UDP: a policy hears what it hears in process, adapts to the same bits, and bad ones do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.runtime.adaptation import AdaptationOutcome
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.recorder import Tick
from export.runtime.report import RunReport
from robots.contract import Contract
from robots.drivers.base import Driver, Features
from robots.drivers.replay import ReplayDriver
from robots.drivers.sim import SimDriver
from robots.drivers.udp import UdpDriver
from robots.packets import EPISODE_START, SESSION_END, TRIAL_END, TRIAL_START, Kind, Packet
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin
from robots.spec import load_robot
from tests.export.adapting_bundle import EVERY, ROUNDS, adapting_bundle
from tests.export.test_policy import Rewarded, fake_bundle
from tests.robots.twin_process import HandMadeRobot, LossyLine, TwinProcess, hand_made, sense

PLAYED = {"worlds": 2, "task": "track_rewarded", "effect": "cable+cogging"}
STEPS = 10


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_robot("servo_arm", "track_rewarded")[0].contract


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory, contract: Contract) -> Bundle:
    """A bundle for the servo arm that adapts between episodes."""
    return adapting_bundle(tmp_path_factory.mktemp("arm") / "bundle.zip", contract=contract)


@pytest.fixture
def twin() -> Iterator[TwinProcess]:
    process = TwinProcess()
    yield process
    process.kill()


class Drive(NamedTuple):
    """What a policy heard, sent and made of it: a row a tick, and its memory at the start of each episode."""

    ticks: list[Tick]
    heard: list[tuple[object, ...]]
    memory: list[bytes]
    rounds: list[AdaptationOutcome]


def drive(bundle: Bundle, driver: Driver) -> Drive:
    policy, drove = Policy(bundle), Drive([], [], [], [])

    def note(tick: Tick) -> None:
        reading = tick.reading
        drove.ticks.append(tick)
        signals = {name: list(values) for name, values in reading.signals.items()}
        drove.heard.append((reading.episode_start, reading.trial_start, signals, reading.reward, tick.sent))
        if reading.episode_start:
            drove.memory.append(policy.carry["adapted"].tobytes())

    report = run_loop(policy, driver, on_tick=note)
    driver.close()
    assert report.completed, report.stopped
    drove.rounds.extend(outcome.__class__(**{**vars(outcome), "milliseconds": 0.0}) for outcome in policy.adaptations)
    return drove


@pytest.fixture(scope="module")
def in_process(arm: Bundle) -> Drive:
    return drive(arm, SimDriver("servo_arm", arm.manifest.contract, **PLAYED))  # type: ignore[arg-type]


def lose_and_double(count: int, packet: Packet) -> int:
    """Lose a reading, a command and an end now and then, and double what is not lost."""
    return 0 if count > 20 and count % 1999 == 0 else 1 + (count % 7 == 0)


@pytest.mark.parametrize("lossy", [False, True])
def test_over_udp_a_policy_adapts_to_the_same_bits_as_in_process(
    arm: Bundle, in_process: Drive, twin: TwinProcess, lossy: bool
) -> None:
    port = twin.start(pace="lockstep", **PLAYED)
    line = LossyLine(port, lose_and_double) if lossy else None
    over_udp = drive(arm, UdpDriver("127.0.0.1", line.port if line else port, arm.manifest.contract))
    assert over_udp.heard == in_process.heard
    assert over_udp.memory == in_process.memory
    assert over_udp.rounds == in_process.rounds
    if line:
        line.close()


def test_in_process_a_reward_is_heard_and_adapted_to(in_process: Drive) -> None:
    """The control of the comparison above: there is something that could differ."""
    assert [outcome.episode for outcome in in_process.rounds] == [EVERY * (k + 1) for k in range(ROUNDS)] * 2
    assert all(outcome.accepted for outcome in in_process.rounds)
    assert len(set(in_process.memory)) == 1 + 2 * ROUNDS, "blank before each trial, else different"
    rewards = [tick.reading.reward for tick in in_process.ticks]
    starts = [k for k, tick in enumerate(in_process.ticks) if tick.reading.trial_start]
    assert starts == [0, len(rewards) // 2]
    assert [rewards[k] for k in starts] == [0.0, 0.0]
    assert len(set(rewards)) > len(rewards) - 100


def test_a_recorded_reward_is_replayed_and_adapted_to_again(arm: Bundle, in_process: Drive, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    writer = create_recording(path, Origin(arm.manifest.contract))
    for tick in in_process.ticks:
        writer.add(tick, 0)
    writer.close(0)
    again = drive(arm, ReplayDriver.open(str(path), arm.manifest.contract, speed=0.0))
    assert again.memory == in_process.memory
    assert again.rounds == in_process.rounds


# --- rewards that cannot be believed ---------------------------------------------------------------------------------


def drive_by_hand(policy: Policy, rewards: list[float]) -> tuple[RunReport, list[Tick]]:
    """Send a reading for each reward, an episode every `STEPS`; each is answered by a finite command."""
    reports: list[RunReport] = []
    ticks: list[Tick] = []
    with hand_made(policy.contract) as (robot, driver):
        running = Thread(target=lambda: reports.append(run_loop(policy, driver, on_tick=ticks.append)))
        running.start()
        for k, reward in enumerate(rewards):
            flags = TRIAL_START * (k == 0) | EPISODE_START * (k % STEPS == 0)
            robot.send(sense(k + 1, 0.01 * k, flags, reward))
            answer = robot.receive()
            assert answer.kind is Kind.COMMAND
            assert np.isfinite(answer.values).all()
        robot.send(Packet(Kind.END, len(rewards) + 1, 1.0, TRIAL_END | SESSION_END))
        running.join()
    assert reports[0].completed, reports[0].stopped
    return reports[0], ticks


@pytest.mark.parametrize("bad", [nan, inf])
def test_a_reward_that_is_not_finite_is_a_bad_reading(bundle: Bundle, contract: Contract, bad: float) -> None:
    policy = Policy(fake_bundle(Rewarded(), contract, bundle))  # it commands its last reward, times 10 N·m
    report, ticks = drive_by_hand(policy, [0.0, 0.5, bad, 0.3, 0.4])
    assert (report.ticks, report.refused_readings) == (5, 1)
    asked = [tick.requested and tick.requested["shoulder"] for tick in ticks]
    assert asked == [0.0, pytest.approx(5.0), None, pytest.approx(3.0), pytest.approx(4.0)]
    assert f"last_reward is {bad}; this policy needs the finite reward" in str(ticks[2].refused)


@pytest.mark.parametrize(("bad", "reason"), [(nan, "missing or not finite"), (50.0, "is not within")])
def test_a_batch_with_such_a_reward_changes_nothing(arm: Bundle, bad: float, reason: str) -> None:
    rewards = [0.1 * (k % 3) for k in range(EVERY * STEPS + 1)]
    policy, unspoilt = Policy(arm), Policy(arm)
    drive_by_hand(unspoilt, rewards)
    assert unspoilt.carry["adapted"].any()
    rewards[5] = bad
    drive_by_hand(policy, rewards)
    (outcome,) = policy.adaptations
    assert reason in outcome.reason
    assert not policy.carry["adapted"].any()


def test_a_robot_that_reports_none_is_refused_before_it_moves(arm: Bundle, contract: Contract) -> None:
    robot = HandMadeRobot(Features.of(contract, gives_reward=False))
    driver = UdpDriver("127.0.0.1", robot.port, contract, timeout=0.2)
    answering = Thread(target=robot.welcome)
    answering.start()
    with pytest.raises(ConfigError, match="the policy needs a reward from servo_arm, which gives none"):
        run_loop(Policy(arm), driver)
    answering.join()
    assert robot.receive().kind is Kind.STOP
    driver.close()
    robot.close()
