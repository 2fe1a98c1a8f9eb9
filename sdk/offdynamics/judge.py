"""The gate on what is at hand: two runs, played in the target that one was corrected for, or two bundles in a twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from domain_rand.schema import ConfigError
from export.bundle import read_bundle
from export.manifest import Manifest
from robots.model import Engine
from sdk.checkpoint import RunFolder
from sdk.config import TrainConfig
from sdk.offdynamics.dynamics import elsewhere
from sdk.offdynamics.gate import Verdict, gate
from sdk.offdynamics.playing import play
from sdk.offdynamics.settings import TargetSettings
from sdk.through_twin import HeldOut, drive

STREAM = "gate"


def judge(
    corrected: Path,
    uncorrected: Path,
    *,
    trials: int,
    seed: int = 0,
    effect: str | None = None,
    engine: Engine | None = None,
    risk: float | None = None,
) -> Verdict:
    """Play both in the same target worlds, one trial each, and say which to keep; `risk` as of `gate`.

    Runs are played in the target of the corrected one, or where `effect` or `engine` is named, in that; bundles in a
    twin with it. Raises `ConfigError` for a run and a bundle, and for a target of which there are recordings alone.
    """
    both = (corrected, uncorrected)
    if all(RunFolder(path).is_started for path in both):
        returns = _of_runs(both, trials, seed, effect, engine)
    elif any(RunFolder(path).is_started for path in both):
        raise ConfigError(f"{corrected} and {uncorrected}: one is a run, the other a bundle; compare two of a kind")
    else:
        returns = _of_bundles(both, HeldOut("", trials, seed, effect or "none", engine=engine))
    return gate(*returns, paired=True, risk=risk)


def _of_runs(
    runs: Sequence[Path], trials: int, seed: int, effect: str | None, engine: Engine | None
) -> list[np.ndarray]:
    there = target_config(RunFolder(runs[0]).config(), effect, runs[0], engine)
    return [play(run, there, trials, STREAM, seed) for run in runs]


def target_config(config: TrainConfig, effect: str | None, source: Path, engine: Engine | None = None) -> TrainConfig:
    """Return the worlds that a corrected run is judged in; raises `ConfigError` where nothing says which."""
    if effect is not None or engine is not None:
        return elsewhere(config, TargetSettings(effect=effect, engine=engine))
    if config.reward_correction is None:
        raise ConfigError(f"{source} was not corrected for any target: name its --effect or --engine")
    if config.reward_correction.target.recordings:
        raise ConfigError(
            f"{source} was corrected for recordings, in which nothing can be played: name an --effect or --engine"
        )
    return elsewhere(config, config.reward_correction.target)


def _of_bundles(bundles: Sequence[Path], where: HeldOut) -> list[np.ndarray]:
    found = [read_bundle(bundle).manifest for bundle in bundles]
    places = [(manifest.contract.robot, _task_of(manifest)) for manifest in found]
    if places[0] != places[1]:
        raise ConfigError(f"{bundles[0]} and {bundles[1]} are for other robots or tasks: {places[0]} and {places[1]}")
    robot, task = places[0]
    place = replace(where, robot=robot, task=task)
    return [drive(bundle, place).evaluation.returns for bundle in bundles]


def _task_of(manifest: Manifest) -> str | None:
    """Return the task that a bundle's training configuration names; none: the robot's default."""
    config = manifest.provenance.get("config")
    task = config.get("task") if isinstance(config, dict) else None
    return task if isinstance(task, str) else None
