"""The command line as a person or a script meets it: help, results, and mistakes that end in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from robots.spec import robot_names
from sdk import cli
from sdk.checkpoint import CHECKPOINT, METRICS, RunFolder
from tests.sdk.command_line import Simshift
from tests.sdk.tiny_runs import TINY

COMMANDS: dict[str, Any] = get_command(cli.app).commands  # type: ignore[attr-defined]
SET = [f"--set={override}" for override in TINY]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_every_option_says_what_it_is_for(name: str, simshift: Simshift) -> None:
    result = simshift(name, "--help")
    assert result.code == 0
    assert COMMANDS[name].help.splitlines()[0] in " ".join(result.out.split())
    silent = [parameter.name for parameter in COMMANDS[name].params if not getattr(parameter, "help", None)]
    assert not silent
    assert COMMANDS[name].help.rstrip().endswith(".")
    markup = [parameter.name for parameter in COMMANDS[name].params if "[" in (getattr(parameter, "help", None) or "")]
    assert not markup  # the screen takes a unit in brackets for a style, and drops it


def test_help_names_every_command(simshift: Simshift) -> None:
    result = simshift("--help")
    assert result.code == 0
    assert all(f" {name} " in result.out for name in COMMANDS)


@pytest.mark.parametrize("what", ["robots", "tasks", "algorithms", "params", "effects"])
def test_lists_are_json_for_machines_and_a_table_for_people(what: str, simshift: Simshift) -> None:
    rows = json.loads(simshift("list", what, "--json").out)
    table = simshift("list", what)
    assert table.code == 0
    assert all(str(next(iter(row.values()))) in table.out for row in rows)


def test_the_listed_robots_are_those_there_are(simshift: Simshift) -> None:
    assert [row["robot"] for row in json.loads(simshift("list", "robots", "--json").out)] == robot_names()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "robts"], "cannot list 'robts'; did you mean 'robots'?"),
        (["train", "rl3"], "unknown algorithm 'rl3'; did you mean 'rl2'? valid: "),
        (["train", "rl2", "--set", "ppo.lrr=1"], "unknown key 'ppo.lrr'; did you mean 'lr'?"),
        (["train", "rl2", "--set", "robot=servo_arn"], "unknown robot 'servo_arn'; did you mean 'servo_arm'?"),
        (["train", "rl2", "--set", "seed=[1, 2]"], "'seed' is [1, 2]: Input should be a valid integer"),
        (["train", "rl2", "--config", "absent.yaml"], "absent.yaml: no such file"),
        (["train", "rl2", "--resume", "--to", "absent"], "start one with: simshift train ALGO --to absent"),
        (["evaluate", "."], "is not a run: it has no config.yaml; start one with: simshift train"),
        (["export", "."], "is not a run: it has no config.yaml"),
        (["verify", "absent"], "absent"),
        (["run", "absent", "--robot", "sim://servo_arm"], "absent"),
        (["twin", "servo_arn"], "servo_arm"),
        (["twin", "--effect", "cabel"], "did you mean 'cable'?"),
        (["benchmark", "--check"], "holds no results"),
    ],
)
def test_a_mistake_ends_with_one_line_that_says_what_is_valid(
    arguments: list[str], message: str, simshift: Simshift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = simshift(*arguments)
    assert result.code == 2
    assert result.out == ""
    (line,) = [line for line in result.err.splitlines() if "error:" in line]
    assert message in line
    assert "Traceback" not in result.err
    assert not list(tmp_path.rglob(CHECKPOINT))


def test_an_unknown_option_and_a_value_out_of_range_are_refused(simshift: Simshift) -> None:
    assert simshift("train", "rl2", "--stes", "5").code == 2
    assert simshift("evaluate", "runs", "--worlds", "1").code == 2


def test_training_with_json_prints_one_object_and_nothing_else(simshift: Simshift, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = simshift("train", "robust", "--to", folder, "--json", *SET, "--set=workers=1")
    assert result.code == 0, result.err
    (line,) = result.out.splitlines()
    facts = json.loads(line, parse_constant=pytest.fail)
    assert (facts["run"], facts["steps"]) == (str(folder), 2400)
    assert {"iteration", "return", "success", "kl"} <= facts.keys()


def test_training_again_is_refused_and_resuming_a_finished_run_changes_nothing(
    finished: Path, simshift: Simshift
) -> None:
    before = (finished / METRICS).read_bytes()
    again = simshift("train", "robust", "--to", finished, *SET)
    assert (again.code, "continue it with --resume" in again.err) == (2, True)
    resumed = simshift("train", "robust", "--to", finished, "--resume")
    assert resumed.code == 0
    assert "Next: simshift export" in resumed.out
    assert (finished / METRICS).read_bytes() == before


@pytest.mark.parametrize("other", [["rl2"], ["robust", "--set=seed=3"], ["robust", "--config=mine.yaml"]])
def test_resuming_with_other_settings_is_refused(other: list[str], finished: Path, simshift: Simshift) -> None:
    result = simshift("train", *other, "--to", finished, "--resume")
    assert result.code == 2
    assert "leave out other settings" in " ".join(result.err.split())


def test_evaluation_prints_one_object_or_a_table(finished: Path, simshift: Simshift) -> None:
    result = simshift("evaluate", finished, "--worlds", "3", "--json")
    facts = json.loads(result.out)
    assert (facts["worlds"], len(facts["per_episode"])) == (3, 3)
    assert facts["ci95"][0] <= facts["mean"] <= facts["ci95"][1]
    assert f"{facts['mean']:.4g}" in simshift("evaluate", finished, "--worlds", "3").out


def test_a_run_without_a_checkpoint_says_how_to_go_on(finished: Path, simshift: Simshift, tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", RunFolder(finished).config())
    result = simshift("evaluate", tmp_path / "run")
    assert result.code == 2
    assert "go on with --resume" in result.err


def test_a_missing_extra_is_named(simshift: Simshift, monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    monkeypatch.setitem(sys.modules, "sdk.evaluate", None)
    result = simshift("evaluate", finished)
    assert result.code == 2
    assert "pip install 'simshift[train]'" in result.err


def test_a_lost_worker_is_status_1_not_a_mistake(simshift: Simshift, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(what: str) -> None:
        raise RuntimeError("worker 0 is gone; continue the run with --resume")

    monkeypatch.setattr("sdk.catalogue.catalogue", lost)
    result = simshift("list", "robots")
    assert (result.code, "continue the run with --resume" in result.err) == (1, True)


def test_the_check_of_a_benchmark_fails_where_a_bar_is_missed(
    simshift: Simshift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdk.results import at_least, measured, write_result

    monkeypatch.chdir(tmp_path)
    write_result("good", "make bench", [0], 1.0, [at_least("gap", 0.6, "1", 0.5), measured("time", 3.0, "s")])
    assert simshift("benchmark", "--check").code == 0
    write_result("bad", "make bench", [0], 1.0, [at_least("share", 0.4, "1", 0.5)])
    result = simshift("benchmark", "--check", "--json")
    assert result.code == 1
    assert [row["name"] for row in json.loads(result.out) if row["holds"] is False] == ["share"]
