"""The real double pendulum's two builds: three identification runs each, judged on that build's other runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from domain_rand.randomizer import Randomization
from robots.identification.predictor import Predictor
from robots.identification.segments import Run, cut
from robots.logs import command_lag, read_log
from robots.replay_log import rmse
from robots.spec import RobotSpec, load_robot
from sdk.identify.picture import draw
from sdk.identify.run import Identification, Task, identify
from sdk.identify.settings import Settings
from sdk.results import Row, at_least, at_most, measured

FOLDER = Path("dfki_double_pendulum")
PRIOR = Path("benchmarks/robots/double_pendulum_prior.yaml")
HORIZON = 0.25
SETTINGS = Settings(horizon=HORIZON, segments=48, evaluations=80, particles=80, rounds=3)
SHOWN = {"C.0": Path("docs/images/identify.png")}
"""Where a build's picture goes, if it is part of the documentation."""


class Build(NamedTuple):
    """One build: its robot, the runs learnt from, those judged by, and what its authors' parameters reach [rad]."""

    robot: str
    train: tuple[str, ...]
    judged: tuple[str, ...]
    authors: tuple[float, float]


BUILDS = {
    "C.0": Build(
        "double_pendulum",
        ("20220914_sys_id_00", "20220914_sys_id_02", "20220914_sys_id_05"),
        ("20220914_sys_id_01", "20220914_sys_id_03", "20220914_sys_id_04", "20220914_sys_id_06"),
        (0.088, 0.157),
    ),
    "A.0": Build(
        "./benchmarks/robots/double_pendulum_a0",
        ("20220815_sys_id_00", "20220815_sys_id_03", "20220815_sys_id_05"),
        ("20220815_sys_id_01", "20220815_sys_id_02", "20220815_sys_id_04", "20220815_sys_id_12", "20220815_sys_id_13"),
        (0.047, 0.171),
    ),
}
"""Left out: the runs that command more than the drives give, and those without a record of their commands."""


def build_rows(name: str, logs: Path, jobs: int) -> list[Row]:
    """Identify one build and return its rows; raises `FileNotFoundError` without the logs."""
    folder = logs / FOLDER / f"design_{name}"
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there")
    build = BUILDS[name]
    spec, _ = load_robot(build.robot)
    runs = [[_run(folder / "sysid" / f"{run}.npz") for run in group] for group in (build.train, build.judged)]
    task = Task(spec, Randomization.load(PRIOR), *runs)
    found = identify(task, SETTINGS.model_copy(update={"jobs": jobs}), _report)
    if name in SHOWN:
        draw(SHOWN[name], found)
    closed = [_run(path) for path in sorted((folder / "closedloop").glob("*.npz"))]
    return [*_sysid_rows(name, build, found), *_closed_rows(name, spec, found, closed)]


def _sysid_rows(name: str, build: Build, found: Identification) -> list[Row]:
    facts, label = found.facts, f"double_pendulum_{name}"
    judged = facts["validation"]
    rows = []
    for j, joint in enumerate(("shoulder", "elbow")):
        reference = {"files": judged["nominal"][j], "no_motion": judged["no_motion"][j]}
        unit = f"rad, {HORIZON:g} s ahead on runs not learnt from"
        rows.append(at_most(f"{label}/{joint}/rmse", judged["rmse"][j], unit, build.authors[j], **reference))
    rows.append(
        _within(f"{label}/covered", judged["covered"], "share of the measurements in the 90 % band", 0.80, 0.97)
    )
    for row in facts["parameters"]:
        spread = {key: row[key] for key in ("sd", "low", "high")}
        rows.append(measured(f"{label}/{row['parameter']}", row["mean"], row["unit"], **spread))
    share = facts["posterior"]["effective_share"]
    rows.append(measured(f"{label}/effective_share", share, "share of the last round's worlds that count"))
    rows.append(measured(f"{label}/runs", len(build.train), "runs learnt from", judged=len(build.judged)))
    rows.append(measured(f"{label}/simulations", facts["simulations"], f"of {facts['segments']} segments"))
    return [*rows, measured(f"{label}/wall", facts["wall_s"], "s", simulating=facts["simulation_s"])]


def _closed_rows(name: str, spec: RobotSpec, found: Identification, runs: Sequence[Run]) -> list[Row]:
    """The build's controlled runs, foretold with its own parameters and with the other build's published ones.

    How late commands act belongs to the loop that a run was recorded with, not to the build: both models get the lag
    that the run's own drive currents show.
    """
    other = next(build for label, build in BUILDS.items() if label != name)
    limits = [joint.torque_limit for joint in spec.contract.joints]
    lags = [command_lag([run.log], limits) for run in runs]
    prior, values = found.prior.randomization, found.prior.values(found.estimate.point)
    own = _foretold(spec, prior, [values | {"motor_delay": lag} for lag in lags], runs)
    theirs = _foretold(load_robot(other.robot)[0], prior, [{"motor_delay": lag} for lag in lags], runs)
    late = _foretold(spec, prior, [values] * len(runs), runs)
    rows = []
    for j, joint in enumerate(("shoulder", "elbow")):
        label, unit = f"double_pendulum_{name}/closedloop/{joint}/rmse", f"rad, {HORIZON:g} s ahead"
        rows.append(at_most(label, own[j], unit, theirs[j], as_late_as_identified=late[j]))
    identified = {"identified": values["motor_delay"]} if "motor_delay" in values else {}
    return [*rows, measured(f"double_pendulum_{name}/closedloop/delay", float(np.mean(lags)), "s", **identified)]


def _foretold(
    spec: RobotSpec, prior: Randomization, worlds: Sequence[dict[str, float]], runs: Sequence[Run]
) -> list[float]:
    """Return the root mean square error over runs, each foretold in its own world, per joint [rad]."""
    predictor = Predictor(spec, prior)
    try:
        parts = [cut([run], HORIZON, predictor.dt) for run in runs]
        foretold = [predictor(values, part) for values, part in zip(worlds, parts, strict=True)]
    finally:
        predictor.close()
    joints = len(spec.joint_names)
    errors = [(outputs - part.target)[:, -joints:] for outputs, part in zip(foretold, parts, strict=True)]
    return rmse(errors)


def _within(name: str, value: float, unit: str, low: float, high: float) -> Row:
    """Return a row that holds where its value lies between two bars."""
    row = at_least(name, value, unit, low)
    return row.model_copy(update={"bar": f"{low:g} to {high:g}", "holds": bool(low <= value <= high)})


def _run(path: Path) -> Run:
    return Run(read_log(path, 2))


def _report(what: str, done: int, most: int) -> None:
    if done % 100 == 0:
        print(f"{what}: {done} of at most {most} simulations", file=sys.stderr, flush=True)
