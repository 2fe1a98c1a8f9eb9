"""The recorder: a thread that writes, a queue that never blocks, and a count of everything that is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.runtime.latency import Latency
from export.runtime.recorder import Recorder, bundle_fingerprint
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.recordings.files import read_recording
from robots.recordings.npz_file import NpzWriter
from robots.recordings.recording import Tick
from robots.spec import load_robot

BOTH = pytest.mark.parametrize("suffix", ["npz", "mcap"])
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_robot("servo_arm")[0].contract


def tick(i: int) -> Tick:
    signals = {"joint_pos": [0.1 * i], "joint_vel": [0.0], "joint_pos_target": [0.5]}
    return Tick(Reading(i + 1, 0.02 * i, signals), {"shoulder": 1.0}, {"shoulder": 1.0}, 100.0)


class Jammed:
    """Lets the recorder's thread wait at its first tick until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting, self.go_on = Event(), Event()
        add = NpzWriter.add

        def jam(writer: NpzWriter, tick: Tick, dropped: int) -> None:
            self.waiting.set()
            self.go_on.wait()
            add(writer, tick, dropped)

        monkeypatch.setattr(NpzWriter, "add", jam)


@BOTH
def test_a_run_is_in_the_file_once_closed(tmp_path: Path, contract: Contract, suffix: str) -> None:
    with Recorder(tmp_path / f"run.{suffix}", contract, "f00d") as recorder:
        for i in range(1000):
            recorder.add(tick(i))
    recorder.close()
    back = read_recording(tmp_path / f"run.{suffix}")
    assert back.sequence.tolist() == list(range(1, 1001))
    assert (back.bundle, back.dropped) == ("f00d", 0)
    assert recorder.summary.plain() == {"path": str(recorder.path), "ticks": 1000, "dropped": 0, "error": None}


def test_a_run_that_fails_is_recorded_too(tmp_path: Path, contract: Contract) -> None:
    def fail() -> None:
        with Recorder(tmp_path / "run.npz", contract) as recorder:
            recorder.add(tick(0))
            raise RuntimeError("out of cheese")

    with pytest.raises(RuntimeError, match="cheese"):
        fail()
    assert len(read_recording(tmp_path / "run.npz")) == 1


def test_a_jammed_disk_costs_ticks_and_never_time(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    jammed = Jammed(monkeypatch)
    with Recorder(tmp_path / "run.npz", contract, queue_ticks=10) as recorder:
        recorder.add(tick(0))
        assert jammed.waiting.wait(5.0)
        for i in range(1, 100):
            recorder.add(tick(i))  # would wait for ever if it waited at all
        assert recorder.dropped == 90
        jammed.go_on.set()
    back = read_recording(tmp_path / "run.npz")
    assert back.sequence.tolist() == list(range(1, 11))
    assert back.dropped == recorder.summary.dropped == 90


def test_dropped_ticks_are_marked_where_they_are_missing(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    jammed = Jammed(monkeypatch)
    with Recorder(tmp_path / "run.npz", contract, queue_ticks=2) as recorder:
        for i in range(5):
            recorder.add(tick(i))
        jammed.go_on.set()
        while recorder.summary.ticks < 2:
            pass
        recorder.add(tick(5))
    back = read_recording(tmp_path / "run.npz")
    assert back.sequence.tolist() == [1, 2, 6]
    assert back.dropped_before.tolist() == [0, 0, 3]


def test_a_disk_that_fails_ends_the_recording_not_the_run(
    tmp_path: Path, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(file: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("robots.recordings.npz_file.os.fsync", disk_full)
    with Recorder(tmp_path / "run.npz", contract) as recorder:
        for i in range(5):
            recorder.add(tick(i))
    recorder.add(tick(5))
    assert recorder.summary.error == "OSError: No space left on device"
    assert recorder.dropped == 1, "what came after it"


def test_a_file_that_cannot_be_opened_is_named_before_the_robot_moves(tmp_path: Path, contract: Contract) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "folder" / "run.mcap", tmp_path / "file" / "run.npz"):
        with pytest.raises(ConfigError, match=r"run\.\w+: cannot be written"):
            Recorder(path, contract)


KILLED = """
import sys, time
from pathlib import Path
from export.runtime.recorder import Recorder
from robots.recordings import npz_file
from tests.export.test_recorder import load_robot, tick
npz_file.PART_SECONDS = 0.1
recorder = Recorder(Path(sys.argv[1]), load_robot("servo_arm")[0].contract)
for i in range(100000):
    recorder.add(tick(i))
    time.sleep(0.0005)
    if i == 1000:
        print("go", flush=True)
"""


@BOTH
def test_a_killed_process_leaves_a_readable_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run.{suffix}"
    command = [sys.executable, "-c", KILLED, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    back = read_recording(path)
    assert len(back) >= 500
    assert back.sequence.tolist() == list(range(1, len(back) + 1))


def test_the_fingerprint_of_a_bundle_is_its_seal(bundle: Bundle, folder: Path) -> None:
    assert f"manifest_sha256: {bundle_fingerprint(bundle.manifest)}" in (folder / "manifest.yaml").read_text()


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
