"""The replay driver: a recorded run, there again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import ContractMismatch, DriverError, Reading, open_driver
from robots.drivers.replay import ReplayDriver
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin, Tick

TICKS = 20


def record(path: Path, contract: Contract) -> Path:
    """Two trials of ten ticks."""
    writer = create_recording(path, Origin(contract))
    for i in range(TICKS):
        signals = {"joint_pos": [0.1 * i], "joint_vel": [0.0], "joint_pos_target": [0.5]}
        start = i % 10 == 0
        reward = 0.01 * (i % 10) if contract.needs_reward else None
        reading = Reading(i + 1 + i // 10, 0.02 * i, signals, episode_start=start, trial_start=start, reward=reward)
        writer.add(Tick(reading, {"shoulder": 1.0}, {"shoulder": 1.0}, 100.0), 0)
    writer.close(0)
    return path


@pytest.mark.parametrize("suffix", ["npz", "mcap"])
def test_a_recording_is_the_same_session_again(tmp_path: Path, contract: Contract, suffix: str) -> None:
    driver = open_driver(f"replay://{record(tmp_path / f'run.{suffix}', contract)}?speed=0", contract)
    assert isinstance(driver, ReplayDriver)
    driver.connect()
    heard = [driver.read() for _ in range(TICKS + 2)]
    assert [reading.sequence for reading in heard] == list(range(1, TICKS + 3))
    assert [i for i, reading in enumerate(heard) if reading.trial_end] == [10, 21]
    assert [i for i, reading in enumerate(heard) if reading.trial_start] == [0, 11]
    assert [reading.session_end for reading in heard] == [False] * 21 + [True]
    assert heard[12].signals["joint_pos"] == [0.1 * 11]
    with pytest.raises(DriverError, match="all 20 recorded readings are played; open the recording again"):
        driver.read()
    driver.close()
    driver.connect()
    assert driver.read() == heard[0]


def test_commands_are_kept_and_change_nothing(tmp_path: Path, contract: Contract) -> None:
    driver = ReplayDriver.open(str(record(tmp_path / "run.npz", contract)), speed=0.0)
    driver.connect()
    driver.read()
    driver.write({"shoulder": 99.0})
    driver.stop()
    assert driver.written == [{"shoulder": 10.0}, {"shoulder": 0.0}]
    assert driver.read().signals["joint_pos"] == [0.1]


def test_it_keeps_the_recorded_pace_or_a_faster_one(tmp_path: Path, contract: Contract) -> None:
    path = record(tmp_path / "run.npz", contract)
    seconds = {}
    for speed in (1.0, 4.0):
        driver = ReplayDriver.open(str(path), speed=speed)
        assert driver.features.pace == "realtime"
        driver.connect()
        began = time.monotonic()
        while not driver.read().session_end:
            pass
        seconds[speed] = time.monotonic() - began
    assert seconds[1.0] >= 0.38
    assert seconds[4.0] >= 0.095
    assert seconds[4.0] < seconds[1.0]


def test_what_cannot_be_played_is_explained(tmp_path: Path, contract: Contract) -> None:
    path = record(tmp_path / "run.npz", contract)
    for url, message in (
        ("replay://", "expected replay://FILE"),
        (f"replay://{tmp_path}/none.npz", "no such file"),
        (f"replay://{path}?speed=-1", "speed is -1.0; valid is 0"),
        (f"replay://{path}?sped=1", "did you mean 'speed'"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_driver(url, contract)
    other = Contract.parse(contract.plain() | {"control_dt": 0.01})
    with pytest.raises(ContractMismatch, match="contracts differ"):
        open_driver(f"replay://{path}", other).connect()
