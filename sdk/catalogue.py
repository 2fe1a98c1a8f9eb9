"""What there is to choose from, as plain rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from domain_rand.parameters import TABLE
from domain_rand.schema import ConfigError, nearest
from robots.spec import RobotFile, load_robot, robot_folder, robot_names

Rows = list[dict[str, Any]]


def catalogue(what: str) -> Rows:
    """Return one row for each thing of a kind; raises `ConfigError` naming the kinds."""
    if what not in _KINDS:
        raise ConfigError(f"cannot list '{what}'; {nearest(what, tuple(_KINDS))}")
    return _KINDS[what]()


def _robots() -> Rows:
    rows = []
    for name in robot_names():
        spec, randomization = load_robot(name)
        joints = ", ".join(spec.contract.joint_names)
        hidden = ", ".join(randomization.names)
        rows.append({"robot": name, "description": spec.description, "joints": joints, "hidden": hidden})
    return rows


def _tasks() -> Rows:
    rows = []
    for robot in robot_names():
        for name in RobotFile.load(robot_folder(robot) / "robot.yaml").tasks:
            spec = load_robot(robot, name)[0]
            facts = {"module": spec.task.module, "episode_s": spec.task.task.episode_time}
            rows.append({"task": f"{robot}/{name}", **facts, "signals": ", ".join(spec.contract.signal_names)})
    return rows


def _algorithms() -> Rows:
    from sdk.algos.base import algorithm_names, find_algorithm

    found = [find_algorithm(name) for name in algorithm_names()]
    return [{"algorithm": a.name, "paper": a.paper, "summary": a.summary, "deployable": a.deployable} for a in found]


def _params() -> Rows:
    return [asdict(row) for row in TABLE.values()]


def _effects() -> Rows:
    from robots.effects import EFFECTS

    return [
        {"effect": name, "meaning": (e.__doc__ or "").strip() if e else "nothing unmodelled"}
        for name, e in EFFECTS.items()
    ]


def _toys() -> Rows:
    from sdk.toys.base import find_toy, toy_names

    found = [find_toy(name) for name in toy_names()]
    return [{"toy": t.name, "paper": t.paper, "summary": t.summary, "settings": t.settings().plain()} for t in found]


def _benchmarks() -> Rows:
    from sdk.offdynamics.benchmark.problem import GROUP, find_problems
    from sdk.suite.definition import benchmark_names, find_benchmark

    suite = [(b.name, b.file.title, tuple(b.file.algorithms)) for b in map(find_benchmark, benchmark_names())]
    problems = [(f"{GROUP}/{p.name}", p.file.title, tuple(p.file.arms)) for p in find_problems(GROUP)]
    return [
        {"benchmark": name, "title": title, "algorithms": ", ".join(arms)} for name, title, arms in [*suite, *problems]
    ]


_KINDS: dict[str, Callable[[], Rows]] = {
    "robots": _robots,
    "tasks": _tasks,
    "algorithms": _algorithms,
    "params": _params,
    "effects": _effects,
    "toys": _toys,
    "benchmarks": _benchmarks,
}
