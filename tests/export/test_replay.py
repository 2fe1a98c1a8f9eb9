"""`simshift replay`: the same bundle asks for the same again, another does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.recorder import Recorder, bundle_fingerprint
from export.runtime.replay import replay_recording
from robots.contract import Contract
from robots.drivers.sim import SimDriver
from robots.recordings.files import read_recording
from robots.recordings.recording import Recording
from tests.export.tiny_policy import TinyGru, export_tiny

ROOT = Path(__file__).parents[2]
Record = Callable[[str], Path]


@pytest.fixture(scope="module")
def record(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Two trials of the tiny policy, with a sick reading in between."""
    folder = tmp_path_factory.mktemp("runs")

    def record(suffix: str) -> Path:
        path = folder / f"run.{suffix}"
        if not path.exists():
            policy, driver = Policy(bundle), SimDriver(worlds=2)
            sick = driver.read
            driver.read = lambda: poisoned(sick(), 150)  # type: ignore[method-assign]
            with Recorder(path, policy.contract, bundle_fingerprint(policy.manifest)) as recorder:
                run_loop(policy, driver, recorder=recorder)
            driver.close()
        return path

    def poisoned(reading, at):  # type: ignore[no-untyped-def]
        if reading.sequence != at:
            return reading
        return replace(reading, signals={**reading.signals, "joint_pos": [float("nan")]})

    return record


def shifted(recording: Recording, row: int, by: float) -> Recording:
    requested = recording.requested["shoulder"].copy()
    requested[row] += by
    return replace(recording, requested={"shoulder": requested})


@pytest.mark.parametrize("suffix", ["npz", "mcap"])
def test_the_same_bundle_asks_for_the_same(record: Record, bundle: Bundle, suffix: str) -> None:
    diff = replay_recording(read_recording(record(suffix)), Policy(bundle))
    assert diff.holds
    assert (diff.ticks, diff.compared, diff.max_abs_error, diff.refused_now) == (600, 599, 0.0, 0)
    assert diff.same_bundle is True


def test_one_command_that_differs_is_found(record: Record, bundle: Bundle) -> None:
    recording = read_recording(record("npz"))
    diff = replay_recording(shifted(recording, 321, 0.5), Policy(bundle))
    assert not diff.holds
    assert diff.max_abs_error == pytest.approx(0.05), "in units of the action scale, 10 N·m"
    assert diff.worst == {"row": 321, "time": float(recording.time[321]), "joint": "shoulder"}
    assert replay_recording(shifted(recording, 321, 0.5), Policy(bundle), tolerance=0.06).holds


def test_a_reading_that_is_refused_now_differs(record: Record, bundle: Bundle) -> None:
    recording = read_recording(record("npz"))
    positions = recording.signals["joint_pos"].copy()
    positions[-1] = 99.0
    diff = replay_recording(replace(recording, signals={**recording.signals, "joint_pos": positions}), Policy(bundle))
    assert not diff.holds
    assert (diff.refused_now, diff.max_abs_error) == (1, 0.0)


def test_an_empty_recording_proves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    Recorder(tmp_path / "run.npz", bundle.manifest.contract).close()
    diff = replay_recording(read_recording(tmp_path / "run.npz"), Policy(bundle))
    assert not diff.holds
    assert (diff.same_bundle, diff.worst) == (None, None)


def test_another_contract_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    other = Contract.parse(bundle.manifest.contract.plain() | {"control_dt": 0.01})
    Recorder(tmp_path / "run.npz", other).close()
    with pytest.raises(ConfigError, match=f"contracts differ: the recording is of servo_arm .{other.fingerprint[:12]}"):
        replay_recording(read_recording(tmp_path / "run.npz"), Policy(bundle))


WITHOUT_TORCH = """
import sys
for name in ("torch", "pybullet", "gymnasium", "onnx", "matplotlib"): sys.modules[name] = None
from sdk.cli import main
main()
"""


def simshift(*arguments: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_command_needs_no_torch_and_tells_by_its_status(record: Record, folder: Path, tmp_path: Path) -> None:
    status, out, err = simshift("replay", record("mcap"), folder, "--json")
    assert (status, json.loads(out)["holds"]) == (0, True), err
    other = export_tiny(tmp_path / "other", TinyGru(seed=1))
    status, out, _ = simshift("replay", record("npz"), other, "--json")
    facts = json.loads(out)
    assert (status, facts["holds"], facts["same_bundle"]) == (1, False, False)
    assert facts["max_abs_error"] > 0.01
    assert simshift("replay", record("npz"), other, "--tolerance", "2")[0] == 0
