"""A policy with memory, trained in a source with the correction for a shifted twin, and without: what it earns there.

    python -m benchmarks.corrected_memory [--seeds 0 1 2] [--steps N] [--worlds N] [--to FOLDER]

RL² balances the cart-pole's pole with a motor that it does not know. In the target there is a bumper right beside the
middle of the rail, which the source has not: a cart may stay clear of it on the other side, if it knows. Three arms, as
long in training: in the source; in the source, corrected for the target; in the target, which is what there is to
reach. Each leaves as a bundle, and is driven through the same twins with the bumper, and without. Runs that are there
are used, or continued.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from sdk.config import TrainConfig, resolve_config
from sdk.offdynamics.gate import gate
from sdk.results import Row, at_least, measured, write_result
from sdk.ship import export_run
from sdk.statistics import seeds_by_tasks_ci95, seeds_by_tasks_gap_closed
from sdk.suite.training import Job, train_side_by_side
from sdk.through_twin import HeldOut, drive

ALGO, ROBOT, TASK, EFFECT = "rl2", "cartpole", "balance_unknown_motor", "bumper"
STEPS, WEIGHT = 600_000, 0.4
"""Control steps of a run; reward per nat of the correction, where a step of balance pays up to 1."""

ARMS: dict[str, tuple[str, ...]] = {
    "uncorrected": (),
    "corrected": (f"reward_correction.target.effect={EFFECT}", f"reward_correction.weight={WEIGHT}"),
    "there": (f"dynamics.effect={EFFECT}",),
}
WHERE = {"source": "none", "target": EFFECT}

Played = dict[tuple[str, str], np.ndarray]
"""Returns `[seeds, worlds]` by arm and by where it was driven."""


def config_of(arm: str, seed: int, steps: int) -> TrainConfig:
    """Return the settings of a run; arms differ in the correction, and in where they are trained."""
    size = ("trials=16", "robots=16", "workers=0")
    place = (f"robot={ROBOT}", f"task={TASK}", f"seed={seed}", f"steps={steps}")
    return resolve_config(ALGO, None, [*place, *size, *ARMS[arm]])


def returns_of(run: Path, effect: str, worlds: int) -> np.ndarray:
    """Export a run if that is still to do, and return what its bundle earns in each twin, the same for all runs."""
    bundle = run / "bundle.zip"
    if not bundle.exists():
        export_run(run, bundle, worlds=min(50, worlds))
    return drive(bundle, HeldOut(ROBOT, worlds, 0, effect, TASK)).evaluation.returns


def rows_of(played: Played) -> list[Row]:
    """Return what each arm earns in either place, what the correction gains in the target, and what the gate says."""
    unit = "return of a trial, bundle through the twin"
    rows = [measured(f"{arm}/{where}", seeds_by_tasks_ci95(x), unit) for (arm, where), x in played.items()]
    uncorrected, corrected, there = (played[arm, "target"] for arm in ARMS)
    gain, gap = seeds_by_tasks_ci95(corrected - uncorrected), seeds_by_tasks_gap_closed(uncorrected, corrected, there)
    kept = [gate(*pair, paired=True).keep == "corrected" for pair in zip(corrected, uncorrected, strict=True)]
    return [
        *rows,
        at_least("gain", gain, "return that the correction gains in the target, paired by seed and world", 0.0),
        measured("gap_closed", gap, "of uncorrected to trained there"),
        measured("gate", float(np.mean(kept)), "share of seeds in which the gate keeps the corrected policy"),
    ]


def main() -> None:
    """Train what is missing, drive all bundles and write `benchmarks/results/corrected_memory.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS, help="control steps of each run")
    parser.add_argument("--worlds", type=int, default=100, help="held-out worlds, one trial each")
    parser.add_argument("--to", type=Path, default=Path("runs/corrected_memory"), help="where runs are kept")
    parser.add_argument("--jobs", type=int, default=1, help="runs trained at once, each of about 1 GB")
    given = parser.parse_args()
    start = time.monotonic()
    runs = {(arm, seed): given.to / f"{arm}_{seed}_{given.steps}" for arm in ARMS for seed in given.seeds}
    jobs = {f"{arm} {seed}": Job(config_of(arm, seed, given.steps), folder) for (arm, seed), folder in runs.items()}
    train_side_by_side(jobs, Console(stderr=True), given.jobs)
    played = {
        (arm, where): np.stack([returns_of(runs[arm, seed], effect, given.worlds) for seed in given.seeds])
        for arm in ARMS
        for where, effect in WHERE.items()
    }
    command = f"python -m benchmarks.corrected_memory --steps {given.steps} --worlds {given.worlds}"
    print(write_result("corrected_memory", command, given.seeds, time.monotonic() - start, rows_of(played)))


if __name__ == "__main__":
    main()
