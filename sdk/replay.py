"""A robot's recorded runs against its simulation, as plain facts for the command line and the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from domain_rand.schema import ConfigError
from robots.logs import MAX_LAG, Log, command_lag, log_files
from robots.recordings.as_logs import read_logs
from robots.replay_log import Prediction, beyond_limits, predict_runs, rmse
from robots.simulated import SimulatedRobot
from robots.spec import load_robot

Facts = dict[str, Any]


def replay_logs(
    robot: str,
    paths: Sequence[str | Path],
    horizon: float = 0.25,
    delay: float | None = None,
    clip: bool = False,
    report: Callable[[int, int], None] = lambda finished, total: None,
) -> Facts:
    """Foretell every run `horizon` [s] ahead and score it, per joint and run [rad].

    `delay` is that of the command [s]; none: estimated from the measured torque. Runs whose commands no controller that
    keeps the contract sends are dropped, with the reason, unless `clip`: then the drive's limit clips them. `report` is
    told how many runs are finished, of how many.
    """
    spec, _ = load_robot(robot)
    simulated = SimulatedRobot(spec)
    try:
        logs = [log for path in log_files(paths) for log in read_logs(path, len(spec.contract.joints))]
        kept, dropped = (logs, {}) if clip else _abiding(logs, simulated)
        limits = [joint.torque_limit for joint in spec.contract.joints]
        lag = command_lag(kept, limits) if delay is None else delay
        report(0, len(kept))
        predictions = predict_runs(simulated, kept, horizon, lag, lambda finished: report(finished, len(kept)))
    finally:
        simulated.close()
    facts: Facts = {"robot": robot, "joints": list(spec.contract.joint_names), "horizon": horizon, "delay": lag}
    facts |= {"delay_estimated": delay is None, "dropped": dropped}
    return {**facts, "runs": [_row(p.run, [p]) for p in predictions], "all": _row("all", predictions)}


def parse_delay(text: str) -> float | None:
    """Return a command delay [s] as given on the command line; None for `auto`. Raises `ConfigError`."""
    if text == "auto":
        return None
    try:
        delay = float(text)
    except ValueError:
        raise ConfigError(f"--delay {text}: expected auto or seconds") from None
    if not 0.0 <= delay <= MAX_LAG:
        raise ConfigError(f"--delay {text}: valid is 0 to {MAX_LAG} s, or auto")
    return delay


def _abiding(logs: Sequence[Log], robot: SimulatedRobot) -> tuple[list[Log], dict[str, str]]:
    """Runs that keep the contract's limits, and why the others do not count; raises `ConfigError` if none does."""
    kept, dropped = [], {}
    for log in logs:
        beyond = beyond_limits(log, robot)
        if beyond is None:
            kept.append(log)
        else:
            dropped[log.name] = f"commands up to {beyond:.3g} N·m, beyond the contract's limits"
    if not kept:
        raise ConfigError(f"no run keeps the contract's limits ({'; '.join(dropped)}); clip them with --clip")
    return kept, dropped


def _row(run: str, predictions: Sequence[Prediction]) -> Facts:
    segments = sum(len(prediction.foretold) for prediction in predictions)
    errors = {"rmse": rmse([p.error for p in predictions]), "no_motion": rmse([p.stillness_error for p in predictions])}
    return {"run": run, "segments": segments, **errors}
