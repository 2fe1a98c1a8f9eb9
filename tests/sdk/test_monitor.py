"""A monitor made from a run: it watches the robot's own motion, and knows worlds of training from a broken motor."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ood_guard import play_all
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from export.bundle import read_bundle
from export.runtime.policy import Policy
from robots.spec import load_robot
from sdk.monitor import MonitorConfig, monitor_run, outside_names, sensed_signals
from sdk.ship import export_run
from sdk.train import train
from tests.sdk.tiny_runs import tiny


def test_the_task_s_own_signals_are_not_motion() -> None:
    assert sensed_signals(load_robot("servo_arm")[0]) == ("joint_pos", "joint_vel")


def test_a_parameter_without_room_outside_is_left_out() -> None:
    randomization = load_robot("servo_arm")[1]
    all_of_physics = {"parameter": "signal_dropout", "unit": "1", "select": "joint_pos"}
    all_of_physics["draw"] = {"distribution": "uniform", "low": 0.0, "high": 1.0}  # type: ignore[assignment]
    more = Randomization.parse({"parameters": {**randomization.plain()["parameters"], "lost": all_of_physics}})
    assert outside_names(more) == randomization.names
    with pytest.raises(ConfigError, match="no parameter of this robot has room outside"):
        outside_names(Randomization.parse({"parameters": {"lost": all_of_physics}}))


@pytest.mark.slow
def test_a_run_s_monitor_sees_a_dead_motor_and_little_else(tmp_path: Path) -> None:
    """With a tenth of the worlds, so loosely held: the benchmark holds it to its bars."""
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    train(tiny("rl2", "policy.head_gain=3.0"), run)  # hardly trained, but its commands move the arm
    export_run(run, bundle, worlds=2)
    monitor_run(run, bundle, MonitorConfig(worlds=48, outside=72, held_out=32))
    policy = Policy.load(bundle)
    spec = read_bundle(bundle).manifest.monitor
    assert spec is not None
    assert (spec.statistics, spec.episodes) == (("outside", "motion", "memory"), 96)
    inside = play_all("servo_arm", policy, 12, {})
    dead = play_all("servo_arm", policy, 6, {"motor_gain": 0.0})
    assert sum(trial.alarmed for trial in inside) <= 3
    assert all(trial.alarmed for trial in dead)
