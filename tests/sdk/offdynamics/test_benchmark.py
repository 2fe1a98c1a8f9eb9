"""Arms, bars, interquartile means, and a problem from training to rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from domain_rand.schema import ConfigError
from sdk.checkpoint import RunFolder
from sdk.offdynamics.benchmark import run as run_module
from sdk.offdynamics.benchmark.arms import ARMS, Budget, plan_of
from sdk.offdynamics.benchmark.grid import grid_rows
from sdk.offdynamics.benchmark.interquartile import interquartile_mean, iqm_ci95
from sdk.offdynamics.benchmark.outcome import Returns, rows
from sdk.offdynamics.benchmark.problem import FILES, Bar, Problem, ProblemFile, find_problems, problem_names
from sdk.offdynamics.benchmark.run import run_problem
from sdk.results import Row
from sdk.suite.options import Options
from sdk.suite.training import Job
from sdk.train import train

FOUND = {"source_only": -10.0, "oracle": -4.0, "target_only": -8.0}


def test_bars_are_returns() -> None:
    assert Bar(gap=0.5).line(FOUND) == -7.0
    assert Bar(loses=0.03).line(FOUND) == pytest.approx(-10.3)
    assert Bar(of={"source_only": 1.0, "target_only": 1.0}).line(FOUND) == -8.0
    with pytest.raises(ConfigError, match="one of gap, loses and of"):
        Bar.parse({"gap": 0.5, "loses": 0.1})


def test_the_interquartile_mean_leaves_the_best_and_the_worst_out() -> None:
    assert float(interquartile_mean(np.array([9.0, 1.0, 2.0, -50.0]))) == 1.5
    assert float(interquartile_mean(np.array([6.0, 1.0, 2.0]))) == pytest.approx((0.25 * 1 + 2 + 0.25 * 6) / 1.5)
    assert interquartile_mean(np.array([[4.0], [5.0]])).tolist() == [4.0, 5.0]


def test_its_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one = iqm_ci95(rng.standard_normal((8, 1)) + rng.standard_normal((8, 30)))
        covered += one.low <= 0.0 <= one.high
    assert covered >= 48


def test_every_arm_has_the_same_budget_but_the_oracle() -> None:
    budget = Budget(1000, 100)
    for name, plan in ((name, plan_of(name, budget)) for name in ARMS):
        assert plan.steps == (100 if plan.where == "target" and name != "oracle" else 1000), name
        assert (plan.after is None) == (not name.endswith("finetune"))
    with pytest.raises(ConfigError, match="unknown arm 'drac'; did you mean 'darc'"):
        plan_of("drac", budget)


@pytest.mark.parametrize("name", problem_names())
def test_every_problem_s_runs_are_those_of_one_learner(name: str) -> None:
    (problem,) = find_problems(f"off-dynamics/{name}")
    for target in problem.file.targets:
        for arm in problem.file.arms:
            run = problem.run(arm, target, 0, Path("x"))
            assert run.config.algo == problem.file.algo
            alone = run.place.startswith("source/")
            assert alone is (arm == "source_only")
            if run.config.reward_correction is not None:
                share = run.config.reward_correction.target.share
                assert share * run.config.steps == pytest.approx(problem.budget.target_steps)


def test_a_problem_may_be_a_file_of_one_s_own(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text((FILES / "lq.yaml").read_text().replace("tasks: 400", "tasks: 7"))
    (problem,) = find_problems(f"off-dynamics/{own}", steps=30)
    assert (problem.name, problem.file.tasks, problem.steps) == ("mine", 7, 30)
    assert find_problems(problem.asked, steps=30) == [problem], "what is recorded repeats it"
    assert find_problems("off-dynamics/lq")[0].asked == "off-dynamics/lq"
    own.write_text(own.read_text().replace("tasks: 7", "taks: 7"))
    with pytest.raises(ConfigError, match=r"mine\.yaml: unknown key 'taks'; did you mean 'tasks'"):
        find_problems(f"off-dynamics/{own}")


def test_a_budget_scales_as_a_whole() -> None:
    problem = Problem("lq", ProblemFile.load(FILES / "lq.yaml"), steps=1500)
    assert problem.budget == Budget(1500, 150)
    assert problem.run("finetune", "dead", 3, Path("x")).config.start_from == "x/source/source_only/seed_3"


# --- rows --------------------------------------------------------------------------------------------------------


def returns(value: float) -> np.ndarray:
    return value + np.random.default_rng(0).standard_normal((3, 40))


def found(darc: float) -> list[Row]:
    arms = {"source_only": returns(-10.0), "darc": returns(darc), "oracle": returns(-4.0)}
    gate = {name: arms[name][:, :20] for name in ("source_only", "darc")}
    problem = Problem("lq", ProblemFile.load(FILES / "lq.yaml"))
    return rows(problem, "dead", Returns(returns(-3.0), arms, gate, (0, 1, 2)))


@pytest.mark.parametrize(("darc", "holds", "kept"), [(-5.0, True, 1.0), (-12.0, False, 0.0)])
def test_rows_tell_the_gap_first_then_each_arm_and_what_the_gate_keeps(darc: float, holds: bool, kept: float) -> None:
    result = found(darc)
    by_name = {row.name: row for row in result}
    assert result[0].name == "lq/dead/source_only_loses"
    assert result[0].value == pytest.approx(7.0)
    assert by_name["lq/dead/darc"].holds is holds
    assert by_name["lq/dead/darc/gap_closed"].value == pytest.approx((darc + 10) / 6)
    assert by_name["lq/dead/darc/gate_keeps_it"].value == kept
    gated = by_name["lq/dead/darc/gated"].value
    assert gated == pytest.approx(max(by_name["lq/dead/darc"].value, by_name["lq/dead/source_only"].value))


def test_the_grid_s_plans_reach_the_goal_from_the_rows_that_the_clip_asks_for() -> None:
    success = {row.name.removeprefix("grid/wall/"): row for row in grid_rows([0, 1])}
    assert success["estimated_2000_rows"].holds
    assert success["source_only"].value < 0.01
    assert success["exact_clip_0.5"].value < 0.1
    assert success["exact_clip_3"].value > 0.99
    assert success["estimated_500_rows"].value < 0.9
    assert success["other_behaviour_with_action_term"].value > success["other_behaviour_without_action_term"].value


# --- from training to rows ---------------------------------------------------------------------------------------


def here(jobs: Mapping[str, Job], console: Console, at_once: int | None = None) -> None:
    """Train in this process what is not there yet."""
    for job in jobs.values():
        if not RunFolder(job.folder).is_started:
            train(job.config, job.folder)


@pytest.mark.filterwarnings("ignore:reward_correction")
def test_a_problem_from_training_to_rows_and_again_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ProblemFile.load(FILES / "lq.yaml").plain()
    data["targets"] = {"dead": data["targets"]["dead"]}
    data["settings"] |= {"method": {"warm_up": 40, "updates_per_step": 0.02, "batch": 16}, "policy": {"hidden": [8]}}
    data["correction"] |= {"warm_up": 0, "updates": 2, "hidden": [8]}
    problem = Problem("lq", ProblemFile.parse(data | {"tasks": 8, "gate_trials": 4}), steps=400)
    monkeypatch.setattr(run_module, "train_side_by_side", here)
    options = Options(seeds=(0,), folder=tmp_path, record=False)
    first = run_problem(problem, options, Console(quiet=True))
    names = [row.name for row in first]
    assert names[0].startswith("lq/dead/source_only_loses")
    assert {f"lq/dead/{arm}" for arm in problem.file.arms} <= {*names}
    assert all(np.isfinite(row.value) for row in first)
    folder = tmp_path / "off-dynamics_lq"
    assert {path.parent.name for path in folder.glob("*/*/seed_0")} == {*problem.file.arms, "maxent_source"}
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*/seed_0/checkpoint.pt")}
    assert run_problem(problem, options, Console(quiet=True)) == first
    assert {path: path.stat().st_mtime_ns for path in before} == before
    tuned = RunFolder(folder / "dead/finetune/seed_0").metrics()
    assert tuned[0]["steps"] == 200, "fine-tuning has the target's budget, one iteration"
