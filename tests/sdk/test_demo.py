"""The whole job in small: barely trained arms, but every process, file and check of the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from domain_rand.schema import ConfigError
from export.bundle import read_bundle
from sdk.cli import _gap_line
from sdk.demo import run_demo, summarize
from sdk.evaluate import Evaluation

UNWELCOME = {"torch", "pybullet", "gymnasium", "onnx"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_demo(folder, steps=1, worlds=3, seed=3, console=Console(quiet=True))


def test_the_demo_ends_with_bundles_summary_and_picture(demo: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = demo
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert (folder / "demo.png").stat().st_size > 10_000
    assert read_bundle(folder / "rl2_bundle").manifest.carry[0].name == "memory"
    assert read_bundle(folder / "robust_bundle").manifest.carry == ()


def test_the_summary_has_every_arm_on_the_same_worlds(demo: tuple[Path, dict[str, Any]]) -> None:
    _, summary = demo
    assert set(summary["arms"]) == {"robust", "rl2", "oracle"}
    for arm in summary["arms"].values():
        assert arm["worlds"] == summary["worlds"] == 3
        assert sum(arm["per_episode"]) == pytest.approx(arm["mean"], abs=1e-4)
        assert arm["ci95"][0] <= arm["mean"] <= arm["ci95"][1]


def test_the_robot_side_loaded_nothing_heavy_and_agrees_with_training(demo: tuple[Path, dict[str, Any]]) -> None:
    _, summary = demo
    assert "onnxruntime" in summary["robot_side_modules"]
    assert not UNWELCOME & set(summary["robot_side_modules"])
    assert 0 < summary["parity_max_abs_error"] <= 1e-5
    assert summary["tick_us"]["p50"] > 0


def test_other_settings_in_the_same_folder_are_refused(demo: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = demo
    with pytest.raises(ConfigError, match="trained with other settings: steps is 1 there, 2 here"):
        run_demo(folder, steps=2, worlds=3, seed=3, console=Console(quiet=True))


def summary_of(per_episode: dict[str, list[float]]) -> dict[str, Any]:
    tables = {name: np.tile(episodes, (5, 1)) for name, episodes in per_episode.items()}
    played = {name: Evaluation(rows.sum(1), rows, np.ones(5)) for name, rows in tables.items()}
    live = {"latency": {"p50_us": 1.0, "p99_us": 2.0}, "missed_deadlines": 0, "robot_side_modules": []}
    return summarize(played, live, 1e-7)


def test_gap_closed_is_worked_out_on_the_arms_means() -> None:
    summary = summary_of({"robust": [10.0, 10.0], "rl2": [16.0, 18.0], "oracle": [20.0, 20.0]})
    assert summary["gap_closed"]["mean"] == pytest.approx(0.7)
    assert summary["gap_closed_last_episode"]["mean"] == pytest.approx(0.8)
    assert _gap_line(summary) == "gap closed 70%, in the last episode 80%"


def test_an_oracle_that_learned_too_little_leaves_no_gap_to_close() -> None:
    summary = summary_of({"robust": [10.0, 10.0], "rl2": [6.0, 8.0], "oracle": [9.0, 9.0]})
    assert summary["gap_closed"]["mean"] == 0
    assert "train longer" in _gap_line(summary)
