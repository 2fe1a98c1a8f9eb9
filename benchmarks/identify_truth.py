"""Parameters injected into simulated robots, logged with noise, delay and lost readings, and looked for again."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from domain_rand.narrowing.prior import Prior
from domain_rand.randomizer import Randomization
from robots.identification.order import exchanges, require_order
from robots.identification.predictor import Predictor
from robots.identification.segments import Run
from robots.identification.truth import Drive, Sensors, simulated_log
from robots.logbook.errors import LogError
from robots.spec import RobotSpec, load_robot
from sdk.identify.run import Task, identify
from sdk.identify.settings import Settings
from sdk.results import Row, at_least, at_most, measured

SENSORS = Sensors(pos_noise=0.002, vel_noise=0.03, dropout=0.02)
SETTINGS = Settings(horizon=0.24, segments=40, evaluations=150, particles=150, rounds=4)
SECONDS = (10.0, 4.0)
"""Length of the run learnt from and of that judged by [s]."""

COVERED = 0.85
INSIDE = "share of the true values in their 90 % interval"


class Case(NamedTuple):
    """A robot, how it is driven, and which of its parameters are injected and looked for."""

    robot: str
    drive: Drive
    names: tuple[str, ...]


CASES = (
    Case("servo_arm", Drive(0.25, 0.25), ("payload_mass", "motor_delay", "coulomb_friction", "viscous_friction")),
    Case("cartpole", Drive(0.2, 0.2, 0.3, 0.1), ("pole_mass", "cart_mass", "motor_delay", "rail_friction")),
    Case("double_pendulum", Drive(0.03, 0.03), ("link_mass/lower", "link_mass/upper", "rotor_inertia", "motor_delay")),
)
"""The motor's gain, which hides the masses, stays as it is."""

CHAIN = CASES[-1]
"""The robot whose two joints can be exchanged."""


def truth_rows(seeds: list[int], jobs: int) -> list[Row]:
    """Identify every case with every seed; return how often 90 % intervals of what is identifiable hold the truth."""
    rows, everything = [], []
    for case in CASES:
        own = [hit for seed in seeds for hit in _hits(case, seed, jobs)]
        everything += own
        more = {"intervals": len(own), "not_identified": len(case.names) * len(seeds) - len(own)}
        width = _mean(own, "width")
        rows.append(
            measured(f"truth/{case.robot}/inside", _mean(own, "inside"), INSIDE, interval_over_prior=width, **more)
        )
    rows.append(at_least("truth/inside", _mean(everything, "inside"), INSIDE, COVERED, intervals=len(everything)))
    rows.append(measured("truth/error", _mean(everything, "error"), "mean error, as a share of the prior's range"))
    return rows + _order_rows(seeds)


def _mean(hits: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([hit[key] for hit in hits]))


def _hits(case: Case, seed: int, jobs: int) -> list[dict[str, Any]]:
    spec, worlds = load_robot(case.robot)
    truth = _drawn(spec, worlds, case, seed)
    train, judged = ([_logged(spec, worlds, truth, case, seconds, seed, i)] for i, seconds in enumerate(SECONDS))
    settings = SETTINGS.model_copy(update={"seed": seed, "jobs": jobs})
    facts = identify(Task(spec, worlds, train, judged, case.names), settings).facts
    print(f"{case.robot}, seed {seed}: {facts['wall_s']:.0f} s", file=sys.stderr, flush=True)
    return [_judged(row, truth) for row in facts["parameters"] if row["verdict"] == "identified"]


def _logged(
    spec: RobotSpec, worlds: Randomization, truth: dict[str, float], case: Case, seconds: float, seed: int, part: int
) -> Run:
    return Run(simulated_log(spec, worlds, truth, seconds, SENSORS, case.drive, 100 * seed + part))


def _drawn(spec: RobotSpec, worlds: Randomization, case: Case, seed: int) -> dict[str, float]:
    """A true world away from the ends of its prior; a simulated drive's delay is a whole number of steps."""
    predictor = Predictor(spec, worlds)
    bound = predictor.randomization
    predictor.close()
    point = np.random.default_rng(1000 + seed).uniform(0.1, 0.9, len(case.names))
    values = Prior(bound, case.names).values(point)
    dt = spec.model.physics_dt
    return values | {name: dt * round(value / dt) for name, value in values.items() if name == "motor_delay"}


def _judged(row: dict[str, Any], truth: dict[str, float]) -> dict[str, Any]:
    low, high = row["prior"]
    value = truth[row["parameter"]]
    inside = bool(row["low"] <= value <= row["high"])
    width, error = (row["high"] - row["low"]) / (high - low), abs(row["mean"] - value) / (high - low)
    return {"inside": inside, "width": width, "error": error}


def _order_rows(seeds: list[int]) -> list[Row]:
    """How often columns of exchanged joints are refused, and how often those of the right ones are."""
    spec, worlds = load_robot(CHAIN.robot)
    predictor = Predictor(spec, worlds)
    right, wrong = [], []
    try:
        for seed in seeds:
            run = _logged(spec, worlds, _drawn(spec, worlds, CHAIN, seed), CHAIN, SECONDS[0], seed, 0)
            right.append(_refused(predictor, [run], spec))
            wrong += [_refused(predictor, runs, spec) for _, runs in exchanges([run], spec.joint_names)]
    finally:
        predictor.close()
    label, unit = f"truth/{CHAIN.robot}", "share refused"
    return [
        at_least(f"{label}/exchanged_joints", float(np.mean(wrong)), unit, 1.0, logs=len(wrong)),
        at_most(f"{label}/joints_in_order", float(np.mean(right)), unit, 0.0, logs=len(right)),
    ]


def _refused(predictor: Predictor, runs: list[Run], spec: RobotSpec) -> bool:
    try:
        require_order(predictor, runs, spec.joint_names, SETTINGS.horizon)
    except LogError:
        return True
    return False
