"""Runs whose trials have not equally many episodes, since a fall begins the next one, are compared all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdk.evaluate import Evaluation
from sdk.suite.arms import Arm
from sdk.suite.curve import Point
from sdk.suite.definition import find_benchmark
from sdk.suite.kept import Kept
from sdk.suite.outcome import Trained
from sdk.suite.pictures import draw, mean_per_episode

SEEDS = [[1.0, 2.0, 3.0], [3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]


def test_episodes_that_all_runs_have_are_averaged() -> None:
    assert mean_per_episode([Kept([], seed, []) for seed in SEEDS]).tolist() == [3.0, 4.0]


@pytest.fixture
def arm() -> Arm:
    found = [Evaluation(np.full(5, sum(seed)), np.tile(seed, (5, 1)), np.ones(5)) for seed in SEEDS]
    return Arm([Trained(seed, evaluation, []) for seed, evaluation in enumerate(found)])


def test_an_arm_of_such_runs_compares_by_the_episodes_that_all_have(arm: Arm) -> None:
    assert arm.strategy.per_episode == pytest.approx((3.0, 4.0))
    assert arm.strategy.total == pytest.approx(np.mean([sum(seed) for seed in SEEDS]))


def test_such_runs_are_drawn(tmp_path: Path, arm: Arm) -> None:
    benchmark, picture = find_benchmark("cartpole"), tmp_path / "drawn.png"
    curve: list[Point] = [{"steps": 1000, "seconds": 1.0, "mean": 5.0, "ci95": [4.0, 6.0]}]
    levels = dict.fromkeys((benchmark.file.ceiling, benchmark.file.floor), arm.strategy)
    draw(picture, benchmark, {"rma": [Kept(curve, seed, []) for seed in SEEDS]}, levels)
    assert picture.stat().st_size > 1000
