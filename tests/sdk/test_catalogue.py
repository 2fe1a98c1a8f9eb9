from __future__ import annotations

import json

import pytest

from domain_rand.parameters import TABLE
from domain_rand.schema import ConfigError
from robots.effects import EFFECTS
from robots.spec import RobotFile, robot_folder, robot_names
from sdk.algos.base import algorithm_names
from sdk.catalogue import catalogue
from sdk.offdynamics.benchmark.problem import GROUP, problem_names
from sdk.suite.definition import benchmark_names
from sdk.toys.base import toy_names

TASKS = [f"{name}/{task}" for name in robot_names() for task in RobotFile.load(robot_folder(name) / "robot.yaml").tasks]
KINDS = {
    "tasks": TASKS,
    "robots": robot_names(),
    "algorithms": algorithm_names(),
    "params": list(TABLE),
    "effects": list(EFFECTS),
}
KINDS["toys"] = toy_names()
KINDS["benchmarks"] = [*benchmark_names(), *(f"{GROUP}/{name}" for name in problem_names())]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_there_is_has_one_row_with_nothing_left_blank(kind: str) -> None:
    rows = catalogue(kind)
    assert [next(iter(row.values())) for row in rows] == KINDS[kind]
    assert all(value not in ("", None) for row in rows for value in row.values())
    assert json.loads(json.dumps(rows)) == rows


def test_a_robot_s_row_names_joints_and_hidden_parameters() -> None:
    (row,) = [row for row in catalogue("robots") if row["robot"] == "servo_arm"]
    assert row["joints"] == "shoulder"
    assert "motor_gain" in row["hidden"]


def test_only_the_oracle_is_not_deployable() -> None:
    assert [row["algorithm"] for row in catalogue("algorithms") if not row["deployable"]] == ["oracle"]


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"cannot list 'robot'; did you mean 'robots'\?"):
        catalogue("robot")
