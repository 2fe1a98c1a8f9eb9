"""Recordings, in both formats: every tick back bit for bit, and nothing lost that was in the file when power went."""

from __future__ import annotations

import json
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.recordings import mcap_file, npz_file
from robots.recordings.files import create_recording, read_recording
from robots.recordings.mcap_file import schemas
from robots.recordings.npz_file import parts_folder
from robots.recordings.recording import Origin, Recording, Tick, command_at, reading_at

BOTH = pytest.mark.parametrize("suffix", ["npz", "mcap"])
TICKS = 500


def tick(i: int, refused: bool = False) -> Tick:
    signals = {"joint_pos": [0.1 * i], "joint_vel": [-1.0 / (i + 1)], "joint_pos_target": [0.5]}
    reward = 0.1 * i if i % 2 else None
    reading = Reading(i + 1, 0.02 * i, signals, episode_start=i % 100 == 0, trial_start=i == 0, reward=reward)
    requested = None if refused else {"shoulder": 20.0 / 3.0}
    return Tick(reading, requested, {"shoulder": 0.0 if refused else 10.0}, 123.5, "too warm" if refused else None)


def record(path: Path, contract: Contract, ticks: int = TICKS, end: bool = True) -> Path:
    writer = create_recording(path, Origin(contract, "abc123"))
    for i in range(ticks):
        writer.add(tick(i, refused=i == 7), dropped=3 if i >= 50 else 0)
    if end:
        writer.close(dropped=5)
    return path


def same(a: Recording, b: Recording) -> bool:
    arrays = ("time", "sequence", "trial_start", "episode_start", "latency_us", "reward", "dropped_before")
    tables = ("signals", "requested", "sent")
    equal = [np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in arrays]
    equal += [np.array_equal(v, getattr(b, t)[k], equal_nan=True) for t in tables for k, v in getattr(a, t).items()]
    return all(equal) and (a.contract, a.bundle, a.refused, a.dropped) == (b.contract, b.bundle, b.refused, b.dropped)


@BOTH
def test_every_tick_comes_back(tmp_path: Path, contract: Contract, suffix: str) -> None:
    back = read_recording(record(tmp_path / f"run.{suffix}", contract))
    assert (back.contract, back.bundle, back.dropped) == (contract, "abc123", 5)
    assert back.sequence.tolist() == list(range(1, TICKS + 1))
    assert back.time.tolist() == [0.02 * i for i in range(TICKS)]
    assert back.signals["joint_vel"][:, 0].tolist() == [-1.0 / (i + 1) for i in range(TICKS)]
    assert np.flatnonzero(back.episode_start).tolist() == list(range(0, TICKS, 100))
    assert np.flatnonzero(back.trial_start).tolist() == [0]
    assert back.refused == {7: "too warm"}
    assert command_at(back.requested, 7) is None
    assert command_at(back.requested, 8) == {"shoulder": 20.0 / 3.0}
    assert (back.sent["shoulder"][7], back.sent["shoulder"][8]) == (0.0, 10.0)
    assert back.latency_us[0] == 123.5
    assert (reading_at(back, 3), reading_at(back, 100)) == (tick(3).reading, tick(100).reading)
    assert (back.dropped_before[49], back.dropped_before[50]) == (0, 3)
    assert [path.name for path in tmp_path.iterdir()] == [f"run.{suffix}"]


def test_both_formats_hold_the_same(tmp_path: Path, contract: Contract) -> None:
    a, b = (read_recording(record(tmp_path / f"run.{suffix}", contract)) for suffix in ("npz", "mcap"))
    assert same(a, b)


@BOTH
def test_an_incomplete_reading_leaves_gaps_not_shifts(tmp_path: Path, contract: Contract, suffix: str) -> None:
    writer = create_recording(tmp_path / f"run.{suffix}", Origin(contract))
    writer.add(Tick(Reading(1, 0.0, {"joint_vel": [nan], "joint_pos": [1.0, 1.0]}), None, {}, 1.0, "no target"), 0)
    writer.add(Tick(Reading(2, 0.1, {"joint_vel": [2.0]}), None, {}, 1.0, "no target"), 0)
    writer.close(0)
    back = read_recording(tmp_path / f"run.{suffix}")
    assert np.isnan(back.signals["joint_pos"]).all()
    assert isnan(back.signals["joint_vel"][0, 0])
    assert back.signals["joint_vel"][1, 0] == 2.0
    assert isnan(back.sent["shoulder"][0])
    assert reading_at(back, 1).signals == {"joint_vel": [2.0]}


@BOTH
def test_an_empty_run_is_a_recording(tmp_path: Path, contract: Contract, suffix: str) -> None:
    back = read_recording(record(tmp_path / f"run.{suffix}", contract, ticks=0))
    assert (len(back), back.dropped, back.signals["joint_pos"].shape) == (0, 5, (0, 1))


def test_a_crash_costs_mcap_its_last_chunk(tmp_path: Path, contract: Contract) -> None:
    path = record(tmp_path / "run.mcap", contract, end=False)
    back = read_recording(path)
    assert TICKS - 100 <= len(back) < TICKS, "at most two seconds at 50 Hz"
    assert back.time.tolist() == [0.02 * i for i in range(len(back))]
    assert (back.dropped, back.bundle) == (3, "abc123")


def test_every_cut_through_mcap_leaves_whole_ticks(tmp_path: Path, contract: Contract) -> None:
    whole = record(tmp_path / "run.mcap", contract).read_bytes()
    lengths = []
    for cut in np.linspace(2600, len(whole) - 1, 60).astype(int):
        (tmp_path / "cut.mcap").write_bytes(whole[:cut])
        back = read_recording(tmp_path / "cut.mcap")
        assert back.time.tolist() == [0.02 * i for i in range(len(back))]
        lengths.append(len(back))
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (0, TICKS)


def test_a_crash_leaves_the_parts_of_an_npz(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(0.02 * i for i in range(10**6))
    monkeypatch.setattr(npz_file, "monotonic", lambda: next(clock))
    path = record(tmp_path / "run.npz", contract, end=False)
    back = read_recording(path)
    assert TICKS - npz_file.PART_SECONDS / 0.02 <= len(back) < TICKS
    assert len(list(parts_folder(path).iterdir())) > 2
    assert back.time.tolist() == [0.02 * i for i in range(len(back))]
    assert (back.refused, back.dropped) == ({7: "too warm"}, 3)
    with pytest.raises(ConfigError, match=r"run.npz.parts: left by a run that did not end; read it as .*run.npz"):
        record(path, contract)
    assert len(read_recording(path)) == len(back), "what a crash has left is never overwritten"


def test_nothing_is_left_when_the_disk_is_full(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "run.npz", contract, ticks=3)
    before = (tmp_path / "run.npz").read_bytes()
    writer = create_recording(tmp_path / "run.npz", Origin(contract))
    writer.add(tick(0), 0)

    def disk_full(file: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("robots.recordings.npz_file.os.fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        writer.close(0)
    assert (tmp_path / "run.npz").read_bytes() == before
    assert list(parts_folder(tmp_path / "run.npz").iterdir()) == []


def test_mcap_speaks_json_with_a_schema_for_each_topic(tmp_path: Path, contract: Contract) -> None:
    with record(tmp_path / "run.mcap", contract).open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.chunk_indexes, "an index: Foxglove seeks"
        topics = {channel.topic: summary.schemas[channel.schema_id] for channel in summary.channels.values()}
        heard: dict[str, list[dict[str, Any]]] = {topic: [] for topic in topics}
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
            body = json.loads(message.data, parse_constant=pytest.fail)
            declared = json.loads(schema.data)
            assert declared["type"] == "object"
            assert set(body) == set(declared["properties"])
            assert message.publish_time == round(body["time"] * 1e9)
            heard[channel.topic].append(body)
    assert set(topics) == set(schemas(contract))
    assert {t for t in topics if "/readings" in t} == {f"/readings/{name}" for name in contract.signal_names}
    assert len(heard["/requested"]) == len(heard["/sent"]) - 1 == TICKS - 1
    events = [(event["event"], event["sequence"]) for event in heard["/events"]]
    assert events[:4] == [("trial_start", 1), ("episode_start", 1), ("refused", 8), ("dropped", 51)]


def test_without_mcap_the_message_says_what_to_install(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record(tmp_path / "run.mcap", contract, ticks=1)
    for module in ("mcap.writer", "mcap.exceptions"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    for attempt in (lambda: read_recording(path), lambda: create_recording(tmp_path / "other.mcap", Origin(contract))):
        with pytest.raises(ConfigError, match=r"needs 'mcap': pip install 'simshift\[mcap\]'"):
            attempt()


@BOTH
def test_a_contract_that_was_tampered_with_is_noticed(
    tmp_path: Path, contract: Contract, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(contract), "fingerprint", "0" * 64)
    path = record(tmp_path / f"run.{suffix}", contract.model_copy(), ticks=1)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="does not have the fingerprint it states"):
        read_recording(path)


def test_what_is_no_recording_is_refused(tmp_path: Path, contract: Contract) -> None:
    for suffix in ("npz", "mcap"):
        (tmp_path / f"text.{suffix}").write_text("not a recording, but long enough to be one")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    record(tmp_path / "run.mcap", contract, ticks=1)
    (tmp_path / "head.mcap").write_bytes((tmp_path / "run.mcap").read_bytes()[:20])
    for name, complaint in (
        ("text.npz", "not a recording"),
        ("text.mcap", "not a recording"),
        ("other.npz", "not a recording"),
        ("head.mcap", "not a recording .it names no contract"),
        ("none.npz", "no such file"),
        ("none.mcap", "no such file"),
        ("run.csv", r"a recording ends in \.npz or \.mcap"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            read_recording(tmp_path / name)


def test_a_chunk_holds_about_a_second(tmp_path: Path, contract: Contract) -> None:
    with record(tmp_path / "run.mcap", contract).open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    seconds = TICKS * contract.control_dt / len(summary.chunk_indexes)
    assert 0.5 * mcap_file.CHUNK_SECONDS < seconds < 2.0 * mcap_file.CHUNK_SECONDS
