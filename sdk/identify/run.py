"""Identification from end to end: sound logs, what they can tell, the estimate, the posterior, the proof."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain_rand.narrowing.information import Information
from domain_rand.narrowing.prior import Prior
from domain_rand.narrowing.written import written
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, nearest
from robots.identification.order import require_order
from robots.identification.predictor import Predictor, identifiable
from robots.identification.segments import Run, Segments, cut
from robots.identification.simulations import Model, Simulations
from robots.logbook.checks import machine_of, require_sound
from robots.spec import RobotSpec
from sdk.identify.estimate import Estimate, Readings, minimise, misfit, polish, sensitivity, surprise
from sdk.identify.neural import neural, require_sbi
from sdk.identify.posterior import Posterior, likeliest, reweighted, stepped
from sdk.identify.prediction import Forecast, forecast, summary
from sdk.identify.settings import Settings
from sdk.identify.stages import JUDGES, Report, Stages, plan
from sdk.identify.starts import own, reading_noise, start_effects

WIDE_SEARCH, NEAR = 0.6, 0.05
"""Share of the evaluations that the first search takes, and the spread with which the second one begins."""


def _silent(what: str, done: int, most: int) -> None:
    pass


@dataclass(frozen=True)
class Task:
    """Which robot, which prior over its worlds, which runs to learn from and to be judged by.

    Of the parameters that can be identified, `only` those named are, and those in `hold` are not.
    """

    spec: RobotSpec
    randomization: Randomization
    train: Sequence[Run]
    validation: Sequence[Run]
    only: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identification:
    """The outcome; `points` are the posterior's worlds in the cube of `prior`, `facts` plain data for machines."""

    prior: Prior
    before: Estimate
    estimate: Estimate
    points: np.ndarray
    forecast: Forecast
    facts: dict[str, Any]

    @property
    def randomization(self) -> Randomization:
        """The posterior as a distribution over worlds that training takes."""
        return written(self.points, self.prior)


def assess(task: Task, settings: Settings, report: Report = _silent) -> Information:
    """Return what the logs can tell of each parameter in the middle of its prior, before any fit.

    Raises what `identify` raises.
    """
    bound, _ = _prepared(task, settings)
    names, _ = _chosen(bound, task)
    count = Stages(plan(settings, len(names), len(task.spec.joint_names)), report).count
    simulations = Simulations(Model(task.spec, bound), Prior(bound, names), settings.jobs, count)
    try:
        train = cut(task.train, settings.horizon, _dt(task), settings.segments)
        return _before(simulations, train, settings).information
    finally:
        simulations.close()


def identify(task: Task, settings: Settings, report: Report = _silent) -> Identification:
    """Return the posterior over a robot's worlds given its logs.

    Raises `LogError` for a log that cannot be used or whose joints are exchanged, `ConfigError` where nothing can be
    identified, naming why.
    """
    start = time.monotonic()
    if settings.method == "npe":
        require_sbi()
    bound, warnings = _prepared(task, settings)
    names, left_out = _chosen(bound, task)
    stages = Stages(plan(settings, len(names), len(task.spec.joint_names)), report)
    simulations = Simulations(Model(task.spec, bound), Prior(bound, names), settings.jobs, stages.count)
    try:
        train = cut(task.train, settings.horizon, _dt(task), settings.segments)
        before = _before(simulations, train, settings)
        told = tuple(name for name in names if before.information.verdict(name) != "blind")
        if not told:
            raise ConfigError(
                f"the logs tell nothing about {', '.join(names)}: the motion does not depend on them enough"
            )
        prior = simulations.prior = Prior(bound, told)
        stages.begin("estimate")
        estimate = _estimated(simulations, train, before, settings)
        stages.begin("posterior")
        found = _posterior(simulations, train, estimate, settings)
        stages.begin("validation")
        judged, nominal = _judged(simulations, task, found.points, estimate, reading_noise(train), settings)
    finally:
        simulations.close()
    facts = _facts(prior, estimate, found)
    facts |= {"robot": task.spec.contract.robot, "not_told": [name for name in names if name not in told]}
    facts |= {"left_out": left_out, "warnings": [*warnings, *found.warnings], "validation": summary(judged, nominal)}
    facts |= {"settings": settings.plain(), "train": _names(task.train), "judged_by": _names(task.validation)}
    facts |= {"simulations": simulations.calls, "segments": len(train.began)}
    facts |= {"simulation_s": round(simulations.seconds, 1), "wall_s": round(time.monotonic() - start, 1)}
    return Identification(prior, before, estimate, found.points, judged, facts)


def _prepared(task: Task, settings: Settings) -> tuple[Randomization, list[str]]:
    """Return the prior with every entry bound to its joint, and warnings about the logs."""
    warnings = []
    for run in [*task.train, *task.validation]:
        machine = machine_of(task.spec.contract, task.spec.joint_names, free=not run.log.command.shape[1])
        warnings += [f"{run.log.name}: {finding.sentence}" for finding in require_sound(run.log, machine)]
    predictor = Predictor(task.spec, task.randomization)
    try:
        require_order(predictor, task.train, task.spec.joint_names, settings.horizon)
        return predictor.randomization, warnings
    finally:
        predictor.close()


def _chosen(bound: Randomization, task: Task) -> tuple[tuple[str, ...], list[str]]:
    """Return the parameters to identify, and those that logs of joints cannot tell about."""
    possible = identifiable(bound)
    for name in (*task.only, *task.hold):
        if name not in possible:
            raise ConfigError(f"cannot identify '{name}'; {nearest(name, possible)}")
    names = tuple(name for name in possible if (not task.only or name in task.only) and name not in task.hold)
    if not names:
        raise ConfigError("nothing is left to identify")
    return names, [name for name in bound.names if name not in names]


def _dt(task: Task) -> float:
    return task.spec.model.physics_dt


def _before(simulations: Simulations, train: Segments, settings: Settings) -> Estimate:
    """What the segments tell in the middle of the prior."""
    names = simulations.prior.names
    middle = np.full(len(names), 0.5)
    readings = _readings(simulations, train, middle, reading_noise(train))
    return sensitivity(lambda points: simulations(points, train), train.target, middle, names, settings.step, readings)


def _readings(simulations: Simulations, segments: Segments, point: np.ndarray, noise: np.ndarray) -> Readings:
    """What noise of the first readings does to the segments in one world, and that of what they are compared with."""
    effects = start_effects(lambda moved: simulations(point[None], moved)[0], segments, noise)
    joints = segments.began.shape[1]
    return Readings(effects, np.tile(noise[:joints] ** 2, len(segments.after)))


def _estimated(simulations: Simulations, train: Segments, before: Estimate, settings: Settings) -> Estimate:
    """Search the whole cube, then near the best point with the noise of first readings counted, then by slopes."""
    names, target = simulations.prior.names, train.target
    start = np.array([before.point[before.information.names.index(name)] for name in names])

    def predict(points: np.ndarray) -> np.ndarray:
        return simulations(points, train)

    def near(points: np.ndarray) -> list[float]:
        return [surprise(outputs - target, readings) for outputs in predict(points)]

    wide = round(WIDE_SEARCH * settings.evaluations)
    best = minimise(lambda points: misfit(predict(points) - target), start, 0.0, 1.0, wide, settings.seed)
    readings = _readings(simulations, train, best, reading_noise(train))
    best = minimise(near, best, 0.0, 1.0, settings.evaluations - wide, settings.seed, NEAR)
    return polish(predict, target, best, names, settings.step, readings=readings)


def _posterior(simulations: Simulations, train: Segments, estimate: Estimate, settings: Settings) -> Posterior:
    def predict(points: np.ndarray) -> np.ndarray:
        return simulations(points, train)

    match settings.method:
        case "reweight":
            return reweighted(predict, train.target, simulations.prior, estimate, settings)
        case "dropo":
            return likeliest(train.target, estimate, settings)
        case "simopt":
            return stepped(estimate, settings)
        case "npe":
            return neural(predict, train.target, simulations.prior, estimate, settings)


def _judged(
    simulations: Simulations,
    task: Task,
    points: np.ndarray,
    estimate: Estimate,
    noise: np.ndarray,
    settings: Settings,
) -> tuple[Forecast, np.ndarray]:
    """Foretell the validation runs with worlds of the posterior, and with the robot as its files say."""
    rng = np.random.default_rng(settings.seed)
    segments = cut(task.validation, settings.horizon, _dt(task), 4 * settings.segments)
    chosen = points[rng.permutation(len(points))[:JUDGES]]
    covariance = estimate.unexplained + own(_readings(simulations, segments, estimate.point, noise).effects)
    judged = forecast(simulations(chosen, segments), covariance, segments, rng)
    predictor = Predictor(task.spec, task.randomization)
    try:
        return judged, predictor({}, segments)
    finally:
        predictor.close()


def _facts(prior: Prior, estimate: Estimate, found: Posterior) -> dict[str, Any]:
    values = np.array([list(prior.values(point).values()) for point in found.points])
    best = prior.values(estimate.point)
    rows = []
    for i, name in enumerate(prior.names):
        column, entry = values[:, i], prior.randomization.parameters[name]
        low, high = np.quantile(column, [0.05, 0.95]).tolist()
        row: dict[str, Any] = {"parameter": name, "unit": entry.unit, "verdict": estimate.information.verdict(name)}
        row |= {"estimate": best[name], "mean": float(column.mean()), "sd": float(column.std())}
        rows.append(row | {"low": low, "high": high, "prior": list(entry.draw.support)})
    pairs = [{"pair": [a, b], "correlation": c} for a, b, c in estimate.information.pairs]
    return {"parameters": rows, "pairs": pairs, "posterior": found.facts}


def _names(runs: Sequence[Run]) -> list[str]:
    return [run.log.name for run in runs]
