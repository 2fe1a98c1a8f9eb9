"""A benchmark on a robot, from training to rows, judged by another task than the one that was trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from domain_rand.schema import ConfigError
from sdk.suite.definition import Benchmark, BenchmarkFile
from sdk.suite.options import Options
from sdk.suite.robots import run_robot

TINY = {"steps": 2000, "trials": 2, "workers": 0, "policy": {"hidden": [8]}}
FILE = {
    "title": "t",
    "paper": "p",
    "protocol": "x",
    "robot": "kuka",
    "task": "find_on_arc",
    "played_task": "find_on_arc_sparse",
    "tasks": 2,
    "attempts": 5,
    "adapts_every": 5,
    "ceiling": "oracle",
    "floor": "robust",
    "curve": {"tasks": 2, "points": 1},
    "algorithms": {
        "robust": TINY,
        "maml": {**TINY, "missed": 0.4, "method": {"rollouts": 5, "inner_steps": 1}},
        "oracle": TINY,
    },
}


@pytest.mark.slow
def test_arms_are_paid_by_the_task_that_they_are_judged_by(tmp_path: Path) -> None:
    benchmark = Benchmark("arc", BenchmarkFile.parse(FILE), "arc.yaml")
    options = Options(("maml",), seeds=(0, 1), folder=tmp_path, record=False)
    found = {
        algo: {row.name.removeprefix(f"arc/{algo}/"): row for row in rows}
        for algo, rows in run_robot(benchmark, options, Console(quiet=True)).items()
    }
    assert set(found) == {"maml", "robust", "oracle"}
    for algo, rows in found.items():
        # training pays nine tenths where the arm begins, 0.2 m off, the judging task nothing, in a thousand steps
        assert 0.0 <= rows["total_return"].value < 200.0
        reached = rows["reached_within_5"]
        assert reached.holds is (reached.value <= 0.4 if algo == "maml" else None)
    assert found["maml"]["accepted"].reference["rounds"] == 4  # one a trial; whether a robot believes them is its own


def test_a_toy_has_no_other_task() -> None:
    toy = {**FILE, "robot": None, "task": None, "toy": {"name": "navigation", "settings": {}}}
    with pytest.raises(ConfigError, match="played_task"):
        BenchmarkFile.parse(toy)
