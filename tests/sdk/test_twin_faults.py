"""`simshift twin --faults` as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from robots.drivers.udp import UdpDriver
from sdk import cli

FAULTS = """
to_policy: {loss: 0.02}
switch:
  - {at: 3.0, params: {payload_mass: 1.0}}
"""


def test_the_score_tells_what_the_faults_did(tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(FAULTS)
    options = ["--pace", "lockstep", "--faults", str(tmp_path / "faults.yaml"), "--json"]
    command = [sys.executable, "-m", "sdk.cli", "twin", *options]
    twin = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert twin.stderr is not None
    ready = next(line for line in twin.stderr if line.startswith("{"))  # the simulator greets first
    port = int(json.loads(ready)["ready"].rpartition(":")[2])
    driver = UdpDriver("127.0.0.1", port)
    driver.connect()
    while not (reading := driver.read()).session_end:
        if not reading.trial_end:
            driver.write({"shoulder": 2.0})
    driver.close()
    score = json.loads(twin.communicate(timeout=30)[0])
    assert score["line"]["to_policy"]["lost"] > 0
    (world,) = score["worlds"]
    assert world["phase_ticks"] == [150, 150]
    assert sum(world["per_phase"]) == pytest.approx(world["return"])
    assert score["settings"]["faults"]["switch"][0]["params"] == {"payload_mass": 1.0}


def test_a_wrong_file_is_a_mistake_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faults.yaml").write_text("to_policy: {los: 0.1}\n")
    monkeypatch.setattr(sys, "argv", ["simshift", "twin", "--faults", str(tmp_path / "faults.yaml")])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "faults.yaml: unknown key 'to_policy.los'; did you mean 'loss'" in " ".join(capfd.readouterr().err.split())
