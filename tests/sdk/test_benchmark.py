"""Benchmarks end to end on three pulls of two arms, and every benchmark file there is."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from domain_rand.schema import ConfigError
from robots.twin.faults import Faults, Switch
from sdk import cli
from sdk.algos.base import algorithm_names
from sdk.checkpoint import METRICS, RunFolder
from sdk.config import TrainConfig, resolve_config
from sdk.results import Result, Row, read_results
from sdk.statistics import seeds_by_tasks_ci95
from sdk.suite.beliefs import draw_beliefs, goal_beliefs
from sdk.suite.changed import slots_of
from sdk.suite.curve import LearningCurve, first_at, read_curve
from sdk.suite.definition import Bar, Benchmark, BenchmarkFile, benchmark_names, find_benchmark, find_benchmarks
from sdk.suite.options import Options
from sdk.suite.outcome import known
from sdk.suite.page import page
from sdk.suite.run import run_benchmark
from sdk.suite.training import Job, TrainingError, train_side_by_side
from sdk.toys.references.bandit import bayes_optimal
from sdk.train import train, world_shape

TINY = """
title: Three pulls of two arms
paper: none
protocol: As the bandits.
toy: {name: bandit, settings: {pulls: 3, arms: 2}}
tasks: 300
ceiling: optimal
references: [thompson]
reference_tasks: 500
published: {somebody: 1.9}
curve: {tasks: 50, points: 3}
algorithms:
  rl2:
    bar: {share: 0.5}
    steps: 1800
    trials: 100
    workers: 0
    ppo: {bptt: null, epochs: 1, minibatches: 2, trial_end: terminal}
    policy: {hidden: [8], memory: 8}
"""
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    path = tmp_path_factory.mktemp("files") / "tiny.yaml"
    path.write_text(TINY)
    return find_benchmark(str(path))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny: Benchmark) -> Path:
    """A folder in which the benchmark was run with two seeds, both at once."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_benchmark(tiny, Options(seeds=(0, 1), at_once=2), QUIET)
    return folder


@pytest.fixture
def inside(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def run_of(place: Path, seed: int = 0) -> Path:
    return place / f"runs/benchmarks/tiny/rl2/seed_{seed}"


def test_the_results_file_holds_ours_beside_what_is_computed_and_published(place: Path) -> None:
    (result,) = read_results(place / "benchmarks/results")
    total, rows = result.rows[0], {row.name.split("/")[-1]: row for row in result.rows}
    assert (result.benchmark, result.seeds) == ("toys_tiny_rl2", (0, 1))
    assert re.fullmatch(r"simshift benchmark \S+tiny\.yaml --algo rl2 --seeds 0 1", result.command)
    assert total.reference["ceiling"] == total.reference["optimal"] == bayes_optimal(3, 2)
    assert {"random", "thompson", "published: somebody"} < total.reference.keys()
    assert total.value == pytest.approx((total.reference["seed 0"] + total.reference["seed 1"]) / 2)
    assert (total.bar, total.holds) == (">= 0.833333", total.value >= bayes_optimal(3, 2) / 2)
    assert rows["share_of_ceiling"].value == pytest.approx(total.value / bayes_optimal(3, 2))
    assert rows["steps"].value == 1800
    assert rows["seeds_that_reached_the_bar"].value == 2
    assert 300 <= rows["steps_to_the_bar"].value <= 1800
    assert 0 < rows["seconds_to_the_bar"].value <= rows["seconds"].value


def test_the_picture_shows_something_and_is_small(place: Path) -> None:
    path = place / "docs/images/benchmarks/tiny.png"
    assert 5_000 < path.stat().st_size < 100_000
    pixels = matplotlib.image.imread(path)[..., :3]
    coloured = pixels.max(-1) - pixels.min(-1) > 0.3
    left, right = np.split(coloured, [pixels.shape[1] // 2], axis=1)
    assert left.sum() > 100
    assert right.sum() > 100


def test_the_learning_curve_leaves_what_the_seed_determines_alone(place: Path, tmp_path: Path) -> None:
    run, curve = RunFolder(run_of(place)), read_curve(run_of(place))
    assert [point["steps"] for point in curve] == [600, 1200, 1800]
    assert all(point["ci95"][0] <= point["mean"] <= point["ci95"][1] for point in curve)
    train(run.config(), tmp_path / "unwatched")
    assert (tmp_path / "unwatched" / METRICS).read_bytes() == (run.path / METRICS).read_bytes()
    watched, unwatched = run.load(), RunFolder(tmp_path / "unwatched").load()
    assert watched["torch_rng"].equal(unwatched["torch_rng"])


def test_an_interrupted_run_is_continued_curve_and_all(place: Path, tiny: Benchmark, tmp_path: Path) -> None:
    class Stop(LearningCurve):
        def __call__(self, now: object) -> None:
            super().__call__(now)  # type: ignore[arg-type]
            if len(read_curve(tmp_path)) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny.config("rl2", 0), tmp_path, report=Stop(tmp_path, tiny.file.curve))
    job = Job(tiny.config("rl2", 0), tmp_path, tiny.file.curve)
    assert not job.is_finished
    train_side_by_side({"run": job}, QUIET)
    assert job.is_finished
    whole, again = read_curve(run_of(place)), read_curve(tmp_path)
    assert [(p["steps"], p["mean"]) for p in again] == [(p["steps"], p["mean"]) for p in whole]
    assert (tmp_path / METRICS).read_bytes() == (run_of(place) / METRICS).read_bytes()
    assert [p["seconds"] for p in again] == sorted(p["seconds"] for p in again)


def test_finished_runs_are_reused_and_a_draft_records_nothing(inside: Path, tiny: Benchmark) -> None:
    files = [*run_of(inside).glob("*.pt"), *inside.glob("benchmarks/results/*"), *inside.glob("docs/**/*.png")]
    before = [(path.stat().st_mtime_ns, path.name) for path in files]
    rows = run_benchmark(tiny, Options(seeds=(0,), record=False), QUIET)["rl2"]
    assert [(path.stat().st_mtime_ns, path.name) for path in files] == before
    (recorded,) = read_results(inside / "benchmarks/results")
    assert rows[0].value == recorded.rows[0].reference["seed 0"]


def test_a_run_of_other_settings_is_refused_by_the_key_that_differs(inside: Path, tiny: Benchmark) -> None:
    before = (run_of(inside) / METRICS).read_bytes()
    with pytest.raises(ConfigError, match=r"trained with other settings: steps is 1800 there, 600 here; remove it"):
        run_benchmark(tiny, Options(seeds=(0,), steps=600), QUIET)
    assert (run_of(inside) / METRICS).read_bytes() == before


def test_a_run_that_fails_says_why(tiny: Benchmark, tmp_path: Path) -> None:
    config = tiny.config("rl2", 0).plain()
    bad = TrainConfig.parse(
        {
            **config,
            "toy": {"name": "bandit", "settings": {"pulls": 11, "arms": 2}},
            "ppo": {**config["ppo"], "bptt": 10},
        }
    )
    with pytest.raises(TrainingError, match=r"training a run failed: ConfigError: ppo\.bptt = 10: a trial of 11 steps"):
        train_side_by_side({"a run": Job(bad, tmp_path / "run")}, QUIET)


def test_the_command_runs_and_the_list_shows_what_is_recorded(
    inside: Path, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def simshift(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["simshift", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit):
            cli.main()
        output = capfd.readouterr()
        return output.out or output.err

    rows = json.loads(simshift("benchmark", tiny.asked, "--draft", "--json", "--seeds", "0", "1"))
    (recorded,) = read_results(inside / "benchmarks/results")
    assert rows[0]["value"] == recorded.rows[0].value
    assert "expected whole numbers" in simshift("benchmark", tiny.asked, "--seeds", "0", "one")
    assert "no 'rl3'; did you mean 'rl2'?" in simshift("benchmark", tiny.asked, "--algo", "rl3")
    assert "unknown benchmark 'gridnav'; did you mean 'gridnavi'?" in simshift("benchmark", "gridnav")
    listed = {(row["benchmark"], row["algorithm"]): row["value"] for row in json.loads(simshift("benchmark", "--json"))}
    assert listed["gridnavi", "rl2"] == ""


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_is_sound(name: str) -> None:
    benchmark = find_benchmark(name)
    named = {name: entry.algo or name for name, entry in benchmark.file.algorithms.items()}
    there = [name for name, algo in named.items() if algo in algorithm_names()]
    for name_of_entry in there:
        config = benchmark.config(name_of_entry, seed=1, steps=5)
        assert (config.algo, config.seed, config.steps) == (named[name_of_entry], 1, 5)
        assert world_shape(config).trial_steps % (config.ppo.bptt or 1) == 0
    if benchmark.kind == "robots":
        assert {benchmark.file.ceiling, benchmark.file.floor} <= benchmark.file.algorithms.keys()
        slots_of(benchmark)
    else:
        few = benchmark.file.model_copy(update={"reference_tasks": 20})
        found = known(Benchmark(name, few, name))
        assert found[few.ceiling].total > found[few.floor].total
    absent = benchmark.file.algorithms.keys() - set(there)
    if absent:
        pytest.skip(f"not yet there: {', '.join(sorted(absent))}")


def test_a_group_is_all_benchmarks_of_a_kind() -> None:
    groups = [{found.name for found in find_benchmarks(kind)} for kind in ("toys", "robots")]
    assert groups[0] | groups[1] == set(benchmark_names())
    assert not groups[0] & groups[1]


@pytest.mark.parametrize(
    ("bar", "line"), [(Bar(value=150.0), 150.0), (Bar(share=0.9), 9.0), (Bar(gap=0.5), 6.0), (Bar(gap=0.0), 2.0)]
)
def test_a_bar_is_a_return_a_share_of_the_ceiling_or_of_the_gap(bar: Bar, line: float) -> None:
    assert bar.line(ceiling=10.0, floor=2.0) == pytest.approx(line)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"robot": "servo_arm"}, "a toy or a robot"),
        ({"toy": None}, "a toy or a robot"),
        ({"toy": None, "robot": "servo_arm"}, "the bar of a robot's arm is a gap or a success"),
        ({"algorithms": {"rl2": {"bar": {"success": 0.9}}}}, "the bar of a toy is a return"),
        (
            {"switch": {"weakened": {"at": 1.0, "scale": {"gain": 0.5}}}},
            "beyond, switch and played_task change a robot",
        ),
        ({"algorithms": {"rl2": {"bar": {}}}}, "one of value, share, gap and success"),
        ({"algorithms": {"rl2": {"stesp": 5}}}, "did you mean 'steps'?"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(change: dict, message: str, tiny: Benchmark) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        BenchmarkFile.parse({**tiny.file.plain(), **change})


def test_a_wrong_key_of_the_training_configuration_names_the_benchmark(tiny: Benchmark) -> None:
    entry = tiny.file.algorithms["rl2"].model_copy(update={"ppo": {"lrr": 1}})
    file = tiny.file.model_copy(update={"algorithms": {"rl2": entry}})
    with pytest.raises(ConfigError, match=r"benchmark tiny, rl2: unknown key 'ppo\.lrr'; did you mean 'lr'\?"):
        Benchmark("tiny", file, "tiny").config("rl2", 0)


def test_an_unknown_strategy_names_the_nearest(tiny: Benchmark) -> None:
    file = tiny.file.model_copy(update={"references": ("thomson",)})
    with pytest.raises(ConfigError, match="nothing is known of 'thomson'; did you mean 'thompson'?"):
        known(Benchmark("tiny", file, "tiny"))


def test_the_first_point_at_a_line() -> None:
    points = [{"steps": k, "mean": mean} for k, mean in enumerate([1.0, 3.0, 2.0, 4.0])]
    assert first_at(points, 2.5) == points[1]
    assert first_at(points, 5.0) is None


def test_the_interval_covers_seeds_and_tasks() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        skill, hardness = rng.normal(0, 1, size=(3, 1)), rng.normal(0, 5, size=(1, 2000))
        estimate = seeds_by_tasks_ci95(skill + hardness + rng.normal(0, 3, size=(3, 2000)))
        covered += estimate.low <= 0 <= estimate.high
    assert 0.92 <= covered / 300 <= 0.99


@pytest.mark.slow
def test_a_robot_s_arms_are_exported_driven_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    train_little = {"steps": 2400, "trials": 4, "robots": 4, "workers": 0, "ppo": {"epochs": 1}}
    texts = {"title": "Arm", "paper": "none", "protocol": "As servo_arm.", "ceiling": "oracle", "floor": "robust"}
    arms = {"robust": train_little, "rl2": {"bar": {"gap": 0.7}, **train_little}, "oracle": train_little}
    where = {"robot": "servo_arm", "effect": "cable", "tasks": 3, "curve": {"tasks": 4, "points": 1}}
    where |= {"beyond": {"heavier": {"params": {"payload_mass": 2.0}}}, "changed_tasks": 2}
    where |= {"switch": {"weakened": {"at": 3.0, "scale": {"motor_gain": 0.5}}}}
    benchmark = Benchmark("arm", BenchmarkFile.parse({**texts, **where, "algorithms": arms}), "arm")
    found = run_benchmark(benchmark, Options(algos=("rl2",), seeds=(0,), at_once=3), QUIET)
    assert found.keys() == {"rl2", "robust", "oracle"}
    rl2, robust, oracle = (
        {row.name.split("/", 2)[2]: row for row in found[arm]} for arm in ("rl2", "robust", "oracle")
    )
    levels = [rows["total_return"].value for rows in (robust, rl2, oracle)]
    assert rl2["gap_closed"].value == pytest.approx((levels[1] - levels[0]) / (levels[2] - levels[0]))
    assert (rl2["gap_closed"].bar, "gap_closed" in robust) == (">= 0.7", False)
    assert {"episode_1", "episode_3", "seconds", "success", "seconds_to_90"} < rl2.keys()
    assert {"beyond/heavier/total_return", "switch/weakened/before", "switch/weakened/after"} < oracle.keys()
    assert 0 <= rl2["switch/weakened/recovery"].value <= 3.0
    changes = tmp_path / "runs/benchmarks/arm/oracle/seed_0/changes"
    assert Faults.load(changes / "switch_weakened.yaml").switch == (Switch(at=3.0, scale={"motor_gain": 0.5}),)
    assert {result.benchmark for result in read_results()} == {
        "robots_arm_rl2",
        "robots_arm_robust",
        "robots_arm_oracle",
    }
    assert (tmp_path / "runs/benchmarks/arm/rl2/seed_0/bundle/step.onnx").is_file()
    assert (tmp_path / "docs/images/benchmarks/arm.png").stat().st_size > 5_000


def test_beliefs_are_drawn_of_a_walk_that_could_have_been(tmp_path: Path) -> None:
    steps = ["toy.name=gridnavi", "trials=20", "steps=2400", "workers=0", "method.updates=1", "method.elbo_terms=2"]
    train(resolve_config("varibad", None, steps), tmp_path / "run")
    walk = goal_beliefs(tmp_path / "run")
    draw_beliefs(tmp_path / "beliefs.png", walk)
    assert walk.path.shape == (60, 2)
    assert not walk.path[::15].any()
    moves = np.abs(np.diff(walk.path, axis=0)).sum(-1)
    assert np.delete(moves, [14, 29, 44]).max() <= 1
    assert max(walk.goal) > 1
    assert walk.belief.shape == (60, 5, 5)
    assert 0 <= walk.belief.min() <= walk.belief.max() <= 1
    assert 3_000 < (tmp_path / "beliefs.png").stat().st_size < 100_000


def test_the_page_has_one_table_a_benchmark_with_the_best_first(place: Path) -> None:
    (result,) = read_results(place / "benchmarks/results")
    renamed = Result.parse({**result.plain(), "benchmark": "toys_bandit_10_5_rl2"})
    text = page([renamed, _other("envs")])
    means = [
        float(cells.split("|")[3]) for cells in text.splitlines() if re.match(r"\| \S+ \| (comp|publ|2 seeds)", cells)
    ]
    assert means == sorted(means, reverse=True)
    assert len(means) == 5
    assert "| somebody | published | 1.9 |" in text
    assert "images/benchmarks/bandit_10_5.png" in text
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads[0] == "## All methods"
    assert len(heads) == 3
    assert "| speed | 3 |" in text


def _other(name: str) -> Result:
    machine = {"cpu": "a", "cores": 1}
    rows = (Row(name="speed", value=3.0, unit="1/s"),)
    return Result(
        benchmark=name, command="make", commit="c", date="2026-01-01", machine=machine, seeds=(0,), wall_s=1, rows=rows
    )
