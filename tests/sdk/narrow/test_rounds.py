"""The loop: its budget, its restarts, and one of it for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError
from robots.spec import load_robot
from sdk.identify.settings import Settings
from sdk.narrow import rounds
from sdk.narrow.rounds import BUNDLE, POSTERIOR, RECORDING, VISIT, narrow
from sdk.narrow.settings import NarrowSettings

QUIET = Console(quiet=True)
TRAIN = ("steps=2400", "trials=4", "robots=4", "workers=0", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1")
QUICK = Settings(segments=12, evaluations=10, particles=20, rounds=1, horizon=0.24)


def test_the_budget_is_spent_in_whole_trials() -> None:
    assert NarrowSettings(episodes=9).visits == 3
    assert NarrowSettings(episodes=11).visits == 3
    with pytest.raises(ConfigError, match="episodes = 2; a visit takes a trial, and servo_arm's has 3"):
        _ = NarrowSettings(episodes=2).visits


def test_later_rounds_go_on_with_the_last_run_on_other_worlds() -> None:
    settings = NarrowSettings(worst=0.3, train=("steps=100",), again=("steps=50",))
    first, second = settings.overrides(1, "servo_arm", None), settings.overrides(2, "./narrow/servo_arm", "r1/run")
    assert first == ["robot=servo_arm", "seed=0", "ppo.worst=0.3", "steps=100"]
    assert second[0] == "robot=./narrow/servo_arm"
    assert second[-3:] == ["steps=100", "start_from=r1/run", "steps=50"]


@pytest.fixture
def foretold() -> dict[str, list[float]]:
    """How far posterior, prior and no motion were off, by joint."""
    return {"rmse": [0.1], "nominal": [0.2], "no_motion": [0.3]}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, foretold: dict[str, list[float]]) -> list[str]:
    """Stages that leave their files and nothing else, and the order they were done in."""
    done: list[str] = []

    def exported(run: Path, to: Path, **more: Any) -> None:
        done.append(f"export {to.parent.name}")
        to.write_text("")

    def driven(bundle: Path, where: Any, recording: Path) -> Any:
        done.append(f"visit {recording.parent.name}")
        recording.write_text("")
        world = {"return": 1.5, "per_episode": [0.0, 0.5, 1.0], "params": {"a": 1.0}}
        return type("Driven", (), {"worlds": [world], "missed": 0})

    def identified(task: Any, settings: Any, report: Any) -> Any:
        done.append(f"identify from {len(task)}")

    def written(found: Any, robot: str, to: Path, train_in: Path) -> dict[str, Any]:
        row = {"parameter": "a", "unit": "1", "mean": 1.0, "sd": 0.1, "low": 0.9, "high": 1.1, "prior": [0.0, 2.0]}
        return {"parameters": [row], "robot_folder": str(train_in / robot), "validation": dict(foretold)}

    def trained(jobs: dict[str, Any], console: Console) -> None:
        done.extend(f"train {job.config.robot}" for job in jobs.values())

    monkeypatch.setattr(rounds, "train_side_by_side", trained)
    monkeypatch.setattr(rounds, "export_run", exported)
    monkeypatch.setattr(rounds, "drive", driven)
    monkeypatch.setattr(rounds, "task_of", lambda robot, logs: logs)
    monkeypatch.setattr(rounds, "identify", identified)
    monkeypatch.setattr(rounds, "write", written)
    return done


def test_rounds_follow_one_another_and_the_last_narrows_nothing(stages: list[str], tmp_path: Path) -> None:
    facts = narrow(NarrowSettings(episodes=9), tmp_path, QUIET)
    one, two = (str(tmp_path / f"round_{i}/worlds/servo_arm") for i in (1, 2))
    assert [stage for stage in stages if stage.startswith("train")] == [
        "train servo_arm",
        f"train {one}",
        f"train {two}",
    ]
    assert [stage for stage in stages if stage.startswith("identify")] == ["identify from 1", "identify from 2"]
    assert (facts["episodes"], facts["visits"]) == (9, 3)
    assert "parameters" not in facts["rounds"][2]
    assert json.loads((tmp_path / "summary.json").read_text())["rounds"] == facts["rounds"]
    assert (tmp_path / "narrow.png").stat().st_size > 5000


def test_a_posterior_that_foretells_no_better_than_nothing_narrows_nothing(
    stages: list[str], foretold: dict[str, list[float]], tmp_path: Path
) -> None:
    foretold |= {"rmse": [0.1, 0.25], "nominal": [0.2, 0.3], "no_motion": [0.3, 0.2]}
    facts = narrow(NarrowSettings(episodes=6), tmp_path, QUIET)
    assert [stage for stage in stages if stage.startswith("train")] == ["train servo_arm"] * 2
    assert facts["rounds"][0]["believed"] is False


def test_a_loop_that_was_stopped_visits_nobody_twice(stages: list[str], tmp_path: Path) -> None:
    settings = NarrowSettings(episodes=6)
    narrow(settings, tmp_path, QUIET)
    (tmp_path / "round_2" / VISIT).unlink()  # as if it had been stopped before the second visit
    stages.clear()
    narrow(settings, tmp_path, QUIET)
    assert [stage for stage in stages if not stage.startswith("train")] == ["export round_2", "visit round_2"]
    with pytest.raises(ConfigError, match="holds a loop with other settings"):
        narrow(NarrowSettings(episodes=9), tmp_path, QUIET)


@pytest.mark.slow
def test_a_tiny_loop_for_real(tmp_path: Path) -> None:
    pytest.importorskip("cma", reason="a fit needs cma")
    settings = NarrowSettings(episodes=6, train=TRAIN, export_worlds=2, identify=QUICK, worst=0.5)
    facts = narrow(settings, tmp_path, QUIET)
    first, second = (tmp_path / f"round_{i}" for i in (1, 2))
    assert (first / RECORDING).is_file()
    assert (second / BUNDLE).exists()
    assert not (second / POSTERIOR).exists()
    worlds = load_robot(str(first / "worlds/servo_arm"))[1]  # whether or not they are believed
    prior = load_robot("servo_arm")[1]
    assert worlds == Randomization.load(first / "posterior.yaml")
    for row in facts["rounds"][0]["parameters"]:
        own = worlds.parameters[row["parameter"]].draw.support
        low, high = prior.parameters[row["parameter"]].draw.support
        assert low <= own[0] <= own[1] <= high
    narrowed = str(first / "worlds/servo_arm") if facts["rounds"][0]["believed"] else "servo_arm"
    assert facts["rounds"][1]["worlds"] == narrowed
