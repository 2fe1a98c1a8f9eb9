"""Recordings: every tick of a run, back bit for bit, and never half a file."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from export.runtime.latency import Latency
from export.runtime.recorder import BLOCK, Recorder, Tick, load_recording
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.spec import load_robot


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_robot("servo_arm")[0].contract


def tick(i: int, refused: bool = False) -> Tick:
    signals = {"joint_pos": [0.1 * i], "joint_vel": [-1.0 / (i + 1)], "joint_pos_target": [0.5]}
    reading = Reading(i + 1, 0.02 * i, signals, episode_start=i % 100 == 0, trial_start=i == 0)
    requested = None if refused else {"shoulder": 20.0}
    return Tick(reading, requested, {"shoulder": 0.0 if refused else 10.0}, 123.5, "why" if refused else None)


def test_every_tick_comes_back(tmp_path: Path, contract: Contract) -> None:
    count = BLOCK + 10
    with Recorder(tmp_path / "run.npz", contract) as recorder:
        for i in range(count):
            recorder.add(tick(i, refused=i == 7))
    back = load_recording(tmp_path / "run.npz")
    assert back.contract == contract
    assert back.sequence.tolist() == list(range(1, count + 1))
    assert back.time.tolist() == [0.02 * i for i in range(count)]
    assert back.signals["joint_vel"][:, 0].tolist() == [-1.0 / (i + 1) for i in range(count)]
    assert np.flatnonzero(back.episode_start).tolist() == list(range(0, count, 100))
    assert np.flatnonzero(back.trial_start).tolist() == [0]
    assert isnan(back.requested["shoulder"][7])
    assert (back.requested["shoulder"][8], back.sent["shoulder"][7], back.sent["shoulder"][8]) == (20.0, 0.0, 10.0)
    assert back.latency_us[0] == 123.5


def test_a_run_that_fails_is_recorded_too(tmp_path: Path, contract: Contract) -> None:
    def fail() -> None:
        with Recorder(tmp_path / "run.npz", contract) as recorder:
            recorder.add(tick(0))
            raise RuntimeError("out of cheese")

    with pytest.raises(RuntimeError, match="cheese"):
        fail()
    assert len(load_recording(tmp_path / "run.npz").time) == 1


def test_an_incomplete_reading_leaves_gaps_not_shifts(tmp_path: Path, contract: Contract) -> None:
    recorder = Recorder(tmp_path / "run.npz", contract)
    recorder.add(Tick(Reading(1, 0.0, {"joint_vel": [2.0], "joint_pos": [1.0, 1.0]}), None, {}, 1.0, "no target"))
    back = load_recording(recorder.save())
    assert isnan(back.signals["joint_pos"][0, 0])
    assert back.signals["joint_vel"][0, 0] == 2.0
    assert isnan(back.sent["shoulder"][0])


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / "run.npz", contract)
    recorder.save()
    before = (tmp_path / "run.npz").read_bytes()
    recorder.add(tick(0))

    def disk_full(file: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("export.runtime.recorder.os.fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        recorder.save()
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    assert (tmp_path / "run.npz").read_bytes() == before


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a recording")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    for name, complaint in (("text", "not a recording"), ("other", "not a recording"), ("none", "no such file")):
        with pytest.raises(ConfigError, match=complaint):
            load_recording(tmp_path / f"{name}.npz")


def test_latency_percentiles() -> None:
    latency = Latency()
    assert (latency.percentile(50), latency.max_us) == (0.0, 0.0)
    for time_us in (*range(1, 100), 2.5e6):
        latency.add(time_us + 0.5)
    assert latency.percentile(50) == 51.0
    assert latency.percentile(99) == 100.0
    assert latency.percentile(100) == latency.max_us == 2.5e6 + 0.5
    plain = latency.plain()
    assert sum(plain["histogram_us"].values()) == plain["count"] == 100
    assert plain["histogram_us"]["64-128"] == 36
