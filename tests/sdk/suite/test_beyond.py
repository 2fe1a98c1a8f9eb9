"""Courses beyond training: more rounds than were trained for, on tasks that training never drew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from benchmarks.beyond import by_name, rows
from domain_rand.schema import ConfigError
from sdk.config import resolve_config
from sdk.statistics import Estimate
from sdk.suite.beyond import Course, course, draw_courses
from sdk.train import train
from tests.sdk.tiny_runs import tiny

TINY = ["toy.name=navigation", "toy.settings.episodes=4", "trials=4", "steps=1600", "workers=0", "policy.hidden=[6]"]


def test_what_adapts_goes_on_for_more_rounds_and_what_remembers_for_more_episodes(tmp_path: Path) -> None:
    method = ["method.rollouts=2", "method.inner_steps=1", "method.inner_lr=3.0"]
    train(resolve_config("maml", None, [*TINY, *method]), tmp_path / "maml")
    train(resolve_config("rl2", None, [*TINY, "policy.memory=8", "ppo.bptt=null", "ppo.epochs=1"]), tmp_path / "rl2")
    size = {"rounds": 3, "episodes": 5, "tasks": 6}
    maml, rl2 = (course([tmp_path / name], {"beyond": True}, **size) for name in ("maml", "rl2"))
    assert (maml.experience, rl2.experience) == ((0, 2, 4, 6), (0, 1, 2, 3, 4))
    assert len({estimate.value for estimate in maml.returns}) == 4
    inside = course([tmp_path / "maml"], {}, **size)
    twice = course([tmp_path / "maml"] * 2, {}, **size)
    assert [e.value for e in twice.returns] == pytest.approx([e.value for e in inside.returns])
    assert inside.returns[0].value > maml.returns[0].value + 10  # goals beyond the square are further away


def test_a_robot_s_run_is_refused(tmp_path: Path) -> None:
    train(tiny("robust"), tmp_path / "run")
    with pytest.raises(ConfigError, match="only toys have tasks beyond"):
        course([tmp_path / "run"], {}, rounds=1, episodes=1, tasks=1)


def test_the_picture_and_the_rows_are_of_the_same_courses(tmp_path: Path) -> None:
    falls, rises = (Course((0, 20, 40), tuple(Estimate(v, v - 1, v + 1) for v in x)) for x in ((5, 4, 3), (1, 4, 9)))
    panels = {title: {"a": falls, "b": rises} for title in ("goals as in training", "goals beyond")}
    levels = {title: {"oracle": 10.0} for title in panels}
    found = {row.name: row for row in rows(panels, levels)}
    assert len(found) == 12
    last = found["beyond/b/step_2"]
    assert (last.value, last.unit, last.reference) == (9, "return of an episode after 40", {"oracle": 10.0})
    draw_courses(tmp_path / "courses.png", panels, levels)
    left, right = np.split(imread(tmp_path / "courses.png")[..., :3], 2, axis=1)
    assert all((half.max(-1) - half.min(-1) > 0.3).sum() > 100 for half in (left, right))


def test_a_name_given_again_is_another_seed() -> None:
    assert by_name(["a=x", "b=y", "a=z"]) == {"a": [Path("x"), Path("z")], "b": [Path("y")]}
