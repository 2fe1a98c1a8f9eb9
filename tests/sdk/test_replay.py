"""`simshift replay-log` as a person or a script meets it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sdk import cli

NAMES = ("time", "pos_meas1", "vel_meas1", "tau_con1", "tau_meas1")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simshift", "replay-log", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capfd.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An arm that hangs still under a small wiggle, and a run whose commands its contract forbids."""
    time = 0.005 * np.arange(400)
    wiggle = 0.01 * np.sin(30 * time)
    for name, scale in (("calm", 1.0), ("wild", 2000.0)):
        data = np.stack([time, 0 * time, 0 * time, scale * wiggle, scale * wiggle], -1)
        np.savez(tmp_path / f"{name}.npz", columns=np.array(NAMES), data=data)
    return tmp_path


def test_a_replay_is_one_json_object_for_machines(replay: Command, folder: Path) -> None:
    code, out, err = replay("servo_arm", folder, "--json")
    assert code == 0, err
    facts = json.loads(out, parse_constant=pytest.fail)
    assert (facts["robot"], facts["joints"], facts["horizon"]) == ("servo_arm", ["shoulder"], 0.25)
    assert (facts["delay"], facts["delay_estimated"]) == (0.0, True)
    assert [row["run"] for row in facts["runs"]] == ["calm"]
    assert facts["all"]["segments"] == facts["runs"][0]["segments"] == 7
    assert 0 < facts["all"]["rmse"][0] < 0.02
    assert list(facts["dropped"]) == ["wild"]


def test_a_replay_is_a_table_for_people(replay: Command, folder: Path) -> None:
    code, out, _ = replay("servo_arm", folder, "--delay", "0.02", "--horizon", "0.5")
    assert code == 0
    assert "RMSE 0.5 s ahead [rad], commands 20 ms late; joints shoulder" in " ".join(out.split())
    assert "dropped wild: commands up to 20 N·m, beyond the contract's limits" in " ".join(out.split())


def test_clipped_runs_count(replay: Command, folder: Path) -> None:
    facts = json.loads(replay("servo_arm", folder, "--clip", "--json")[1])
    assert [row["run"] for row in facts["runs"]] == ["calm", "wild"]
    assert facts["dropped"] == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--delay", "soon"], "--delay soon: expected auto or seconds"),
        (["--delay", "1.5"], "--delay 1.5: valid is 0 to 0.06 s, or auto"),
        (["--horizon", "9"], "calm: 2 s are too short for a horizon of 9 s"),
    ],
)
def test_a_mistake_ends_with_one_line(replay: Command, folder: Path, options: list[str], message: str) -> None:
    code, out, err = replay("servo_arm", folder / "calm.npz", *options)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_only_forbidden_runs_leave_nothing_to_replay(replay: Command, folder: Path) -> None:
    code, _, err = replay("servo_arm", folder / "wild.npz")
    assert code == 2
    assert "no run keeps the contract's limits (wild); clip them with --clip" in " ".join(err.split())
