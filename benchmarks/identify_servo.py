"""An XL330 servo identified at two firmware gains, and whole roll-outs at a third foretold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from robots.identification.predictor import Predictor
from robots.identification.segments import Run, Segments
from robots.logs import Log
from robots.spec import load_robot
from sdk.identify.run import Task, identify
from sdk.identify.settings import Settings
from sdk.results import Row, at_most, measured

FOLDER = Path("bam/xl330_2026-01-15")
ROBOT = "./benchmarks/robots/xl330_arm"
LEARNT, FORETOLD = (100, 200), 400
SIMPLE, BAR = 0.077, 0.06
"""Mean error [rad] at the third gain: of a DC motor with Coulomb and viscous friction fitted at the first; the bar."""

SETTINGS = Settings(horizon=1.9, segments=40, evaluations=100, particles=60, rounds=3)
"""A servo holds its position, so errors do not grow: segments are as long as the shortest run."""


def servo_rows(logs: Path, jobs: int) -> list[Row]:
    """Identify the servo and return its rows; raises `FileNotFoundError` without the logs."""
    folder = logs / FOLDER
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there")
    runs: dict[int, list[Run]] = {}
    for path in sorted(folder.glob("*.json")):
        gain, run = read_servo(path)
        runs.setdefault(gain, []).append(run)
    train = [run for gain in LEARNT for run in runs[gain]]
    spec, worlds = load_robot(ROBOT)
    found = identify(Task(spec, worlds, train, runs[FORETOLD]), SETTINGS.model_copy(update={"jobs": jobs}), _report)
    values = found.prior.values(found.estimate.point)
    predictor = Predictor(spec, worlds)
    try:
        errors = {gain: [rollout_error(predictor, values, run) for run in group] for gain, group in runs.items()}
    finally:
        predictor.close()
    unit = "rad, mean error of whole roll-outs while the drive is on"
    rows = [measured(f"xl330/gain_{gain}/mae", float(np.mean(errors[gain])), unit) for gain in LEARNT]
    worst = max(errors[FORETOLD])
    foretold = float(np.mean(errors[FORETOLD]))
    rows.append(at_most(f"xl330/gain_{FORETOLD}/mae", foretold, unit, BAR, simple_model=SIMPLE, worst_run=worst))
    facts = found.facts
    for row in facts["parameters"]:
        spread = {key: row[key] for key in ("sd", "low", "high")}
        rows.append(measured(f"xl330/{row['parameter']}", row["mean"], row["unit"], **spread))
    rows.append(measured("xl330/covered", facts["validation"]["covered"], "share of gain 400 in the 90 % band"))
    rows.append(measured("xl330/simulations", facts["simulations"], f"of {facts['segments']} segments"))
    return [*rows, measured("xl330/wall", facts["wall_s"], "s", simulating=facts["simulation_s"])]


def read_servo(path: Path) -> tuple[int, Run]:
    """Return the firmware gain of one recording, and its run to where the drive is switched off."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = data["entries"]
    off = next((i for i, row in enumerate(rows) if not row["torque_enable"]), len(rows))
    kept = {row["timestamp"]: row for row in rows[:off]}
    time = np.array(sorted(kept))
    columns = [
        np.array([kept[stamp][key] for stamp in time])[:, None] for key in ("position", "speed", "goal_position")
    ]
    log = Log(f"{data['trajectory']}_{data['kp']}", time, *columns)
    return data["kp"], Run(log, {"gain": data["kp"] / LEARNT[0]})


def rollout_error(predictor: Predictor, values: dict[str, float], run: Run) -> float:
    """Return the mean absolute error of a whole run foretold from its first row [rad]."""
    log, dt = run.log, predictor.dt
    after = dt * np.arange(1, int((log.time[-1] - log.time[0]) / dt))
    measured_pos = log.positions_at(log.time[0] + after)
    whole = Segments((run,), (np.array([0]),), after, log.joint_pos[:1], measured_pos[None])
    return float(np.abs(predictor(values, whole) - whole.target).mean())


def _report(what: str, done: int, most: int) -> None:
    if done % 100 == 0:
        print(f"{what}: {done} of at most {most} simulations", file=sys.stderr, flush=True)
