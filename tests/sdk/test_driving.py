"""`simshift run` and `simshift twin` as processes: they end safely when told to, and say how it went."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from robots.drivers.udp import UdpDriver
from robots.recordings.files import read_recording
from robots.recordings.npz_file import parts_folder
from tests.export.tiny_policy import export_tiny

SIMSHIFT = [sys.executable, "-m", "sdk.cli"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny(tmp_path_factory.mktemp("bundle") / "tiny.zip")


class Process:
    """A command in a process of its own; killed if it outlives its test."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [*SIMSHIFT, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def errors(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr

    def result(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out


@pytest.fixture
def twin() -> Iterator[tuple[Process, int]]:
    process = Process("twin", "--worlds", "9", "--json")
    url = next(json.loads(line)["ready"] for line in process.errors if line.startswith("{"))
    yield process, int(url.rpartition(":")[2])
    process.process.kill()
    process.process.communicate()


def test_sigterm_ends_a_run_softly_and_both_sides_say_so(twin: tuple[Process, int], bundle: Path) -> None:
    robot, port = twin
    recording = bundle.parent / "run.npz"
    run = Process("run", bundle, "--robot", f"udp://127.0.0.1:{port}", "--json", "--record", recording)
    while not parts_folder(recording).exists() and run.process.poll() is None:
        time.sleep(0.05)
    time.sleep(1.0)
    run.process.send_signal(signal.SIGTERM)
    code, out = run.result()
    report: dict[str, Any] = json.loads(out)
    assert (code, report["stopped"]) == (1, "interrupted by SIGTERM")
    assert [change["state"] for change in report["states"]] == ["disabled", "ramp", "active", "soft stop", "disabled"]
    assert report["safety"]["ramp_time"] == 0.5
    assert report["recording"]["ticks"] == report["ticks"] == len(read_recording(recording).time)
    robot.process.send_signal(signal.SIGTERM)
    code, out = robot.result()
    score = json.loads(out)
    assert (code, score["stopped"]) == (0, "interrupted")
    assert score["safe_ticks"] >= 1, "the last thing sent was the order to stop"


def test_thresholds_come_from_a_file_and_a_wrong_one_is_named(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("ramp_time: 0.1\nworkspace: {shoulder: [-0.01, 0.01]}\n")
    code, out = Process("run", bundle, "--robot", "sim://servo_arm", "--safety", file).result()
    assert code == 1
    assert "ramp" in out
    assert "workspace of shoulder is" in " ".join(out.split())
    file.write_text("ramp_tme: 0.1\n")
    process = Process("run", bundle, "--robot", "sim://servo_arm", "--safety", file)
    _, errors = process.process.communicate(timeout=60)
    assert process.process.returncode == 2
    assert "mine.yaml: unknown key 'ramp_tme'; did you mean 'ramp_time'?" in " ".join(errors.split())


def test_a_twin_that_nobody_drives_ends_on_sigterm(twin: tuple[Process, int]) -> None:
    robot, port = twin
    UdpDriver("127.0.0.1", port).connect()
    robot.process.send_signal(signal.SIGTERM)
    code, out = robot.result()
    assert (code, json.loads(out)["stopped"]) == (0, "interrupted")
