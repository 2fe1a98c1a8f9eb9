from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import identify
from benchmarks.identify_chain import BUILDS, _within
from benchmarks.identify_servo import ROBOT, read_servo, rollout_error
from robots.identification.predictor import Predictor
from robots.spec import load_robot


def test_without_logs_the_parts_that_need_them_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["identify", "c0", "a0", "xl330", "--logs", "nowhere"])
    identify.main()
    said = capsys.readouterr().err
    assert said.count("skipped: nowhere/") == 3
    assert not list(tmp_path.iterdir())


def test_a_servo_recording_ends_where_its_drive_is_switched_off(tmp_path: Path) -> None:
    entry = {"position": 0.1, "speed": 0.0, "goal_position": 0.2, "torque_enable": True}
    entries = [{**entry, "timestamp": 0.005 * i, "torque_enable": i < 150} for i in range(200)]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"kp": 200, "trajectory": "lift", "entries": entries}))
    gain, run = read_servo(path)
    assert (gain, len(run.log.time), run.factors) == (200, 150, {"gain": 2.0})
    predictor = Predictor(*load_robot(ROBOT))
    try:
        weak, right, strong = (rollout_error(predictor, {"gain": kp}, run) for kp in (0.05, 0.25, 0.6))
    finally:
        predictor.close()
    assert right < 2e-3  # 2 · 0.25 N·m/rad hold the mass 0.1 rad from its goal
    assert min(weak, strong) > 5 * right


def test_every_build_is_judged_by_runs_it_was_not_learnt_from() -> None:
    for build in BUILDS.values():
        assert len(build.train) <= 3
        assert not set(build.train) & set(build.judged)
        assert load_robot(build.robot)[0].joint_names == ("shoulder", "elbow")
    assert [_within("x", value, "1", 0.8, 0.97).holds for value in (0.7, 0.9, 1.0)] == [False, True, False]
