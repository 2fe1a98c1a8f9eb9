from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import identify
from benchmarks.identify_chain import BUILDS, _foretold, _within
from benchmarks.identify_servo import ROBOT, read_servo, rollout_error
from benchmarks.identify_truth import _order_rows
from robots.identification.predictor import Predictor
from robots.identification.segments import Run
from robots.identification.truth import PERFECT, Drive, simulated_log
from robots.spec import load_robot


def test_without_logs_the_parts_that_need_them_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["identify", "c0", "a0", "xl330", "pendulum", "--logs", "nowhere"])
    identify.main()
    said = capsys.readouterr().err
    assert said.count("skipped: nowhere/") == 4
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


def test_controlled_runs_are_foretold_as_late_as_their_own_loop_was() -> None:
    spec, worlds = load_robot("double_pendulum")
    truth = {"motor_delay": 0.006}
    runs = [Run(simulated_log(spec, worlds, truth, 3.0, PERFECT, Drive(0.05, 0.05), seed)) for seed in (0, 1)]
    right, late = (_foretold(spec, worlds, [{"motor_delay": lag}] * 2, runs) for lag in (0.006, 0.018))
    assert max(right) < 2e-3
    assert min(late) > 5 * max(right)


def test_exchanged_joints_are_refused_and_the_right_ones_are_not() -> None:
    wrong, right = _order_rows([0])
    assert (wrong.value, wrong.holds) == (1.0, True)
    assert (right.value, right.holds) == (0.0, True)
