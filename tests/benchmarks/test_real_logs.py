from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import real_logs
from sdk.replay import Facts
from sdk.results import RESULTS

FACTS: Facts = {
    "joints": ["shoulder", "elbow"],
    "delay": 0.016,
    "runs": [{}, {}],
    "dropped": {"wild": "too much"},
    "all": {"segments": 12, "rmse": [0.1, 0.4], "no_motion": [0.5, 0.8]},
}


def test_each_joint_is_held_against_its_own_bar() -> None:
    shoulder, elbow, delay, runs, segments = real_logs.rows(FACTS)
    assert (shoulder.bar, shoulder.holds) == ("<= 0.16", True)
    assert (elbow.bar, elbow.holds) == ("<= 0.3", False)
    assert elbow.reference == {"authors": 0.157, "no_motion": 0.8}
    assert (delay.value, segments.value) == (16.0, 12.0)
    assert (runs.value, runs.reference) == (2.0, {"beyond_the_contract": 1.0})


def test_without_logs_it_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["real_logs", "--logs", "nowhere"])
    real_logs.main()
    assert "nowhere/dfki_double_pendulum/design_C.0/sysid is not there" in capsys.readouterr().err
    assert not RESULTS.exists()
