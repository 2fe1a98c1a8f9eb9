"""From a run folder to a bundle: load the policy, evaluate it on held-out worlds, export, verify."""

from __future__ import annotations

from pathlib import Path

from domain_rand.schema import ConfigError
from export.bundle import STEP_GRAPH, Bundle
from export.manifest import EvaluationRow, Manifest, Parity
from export.parity import MIN_STEPS, closed_loop_parity
from export.writer import VERIFY_STREAM, export_policy
from robots.robot_env import RobotEnv
from robots.spec import load_robot
from sdk.algos.base import algorithm_names, find_algorithm
from sdk.evaluate import HELD_OUT, Evaluation, evaluate_run
from sdk.statistics import Estimate, mean_ci95
from sdk.train import load_policy


def export_run(folder: Path, destination: Path, *, worlds: int = 50, overwrite: bool = False) -> Manifest:
    """Export a run's last checkpoint as a verified bundle, with its returns on `worlds` held-out worlds inside.

    Raises `ConfigError` for a run that cannot be deployed or read, `ExportError` and `ParityError` as `export_policy`.
    """
    config, policy, steps = load_policy(folder)
    if not find_algorithm(config.algo).deployable:
        deployable = [name for name in algorithm_names() if find_algorithm(name).deployable]
        raise ConfigError(
            f"{folder}: '{config.algo}' reads the true context, which no robot can sense; "
            f"train one of: {', '.join(deployable)}"
        )
    robot = config.robot
    if robot is None:
        raise ConfigError(f"{folder} was trained on the toy '{config.subject}'; only a robot's policy can leave")
    spec, randomization = load_robot(robot, config.task)
    evaluation = evaluate_run(folder, worlds, seed=config.seed)
    return export_policy(
        policy,
        spec.contract,
        randomization,
        destination,
        algorithm=config.algo,
        seeds=[config.seed],
        provenance={"control_steps": steps, "config": config.plain()},
        evaluation=evaluation_rows(evaluation),
        world_factory=lambda: RobotEnv(robot, stream=VERIFY_STREAM, task=config.task),
        overwrite=overwrite,
    )


def parity_with_run(bundle: Bundle, folder: Path, *, min_steps: int = MIN_STEPS) -> Parity:
    """Drive a run's policy and a bundle's graph side by side on the simulated robot, through every kind of reset.

    Raises `ConfigError` when the run is of another robot or its contract is not the bundle's, joint order included.
    """
    config, policy, _ = load_policy(folder)
    if config.robot is None:
        raise ConfigError(f"{folder} was trained on the toy '{config.subject}'; no bundle can come from it")
    world = RobotEnv(config.robot, stream=VERIFY_STREAM, task=config.task)
    try:
        if world.contract != bundle.manifest.contract:
            raise ConfigError(
                f"{bundle.source} follows contract {bundle.manifest.contract.fingerprint}, {folder} follows "
                f"{world.contract.fingerprint}; compare a bundle with the run it came from"
            )
        return closed_loop_parity(policy, bundle.files[STEP_GRAPH], world, min_steps=min_steps)[0]
    finally:
        world.close()


def evaluation_rows(evaluation: Evaluation) -> list[EvaluationRow]:
    """Return the bundle's evaluation table: trial return, return by episode, share of episodes ending on target."""
    rows = [_row(f"{HELD_OUT}/trial_return", evaluation.mean, "return")]
    for k, column in enumerate(evaluation.per_episode.T, start=1):
        rows.append(_row(f"{HELD_OUT}/episode_{k}_return", mean_ci95(column), "return"))
    return [*rows, _row(f"{HELD_OUT}/success", mean_ci95(evaluation.success), "share of episodes")]


def _row(name: str, estimate: Estimate, unit: str) -> EvaluationRow:
    return EvaluationRow(name=name, value=estimate.value, ci95=(estimate.low, estimate.high), unit=unit)
