"""Bundles trained in PyBullet, driven through the same worlds in PyBullet and in MuJoCo: what each loses there.

    python -m benchmarks.cross_engine [--worlds N] [--robot servo_arm]

For each robot a short run of each arm is trained (or taken from runs/cross_engine), exported, and driven through a twin
over UDP, once in each engine, with the same hidden parameters, starts, goals and noise. The servo arm is the control:
both engines solve its equations to rounding, so that whatever it loses is not physics. The iiwa's drives have rotors
that PyBullet lumps into the links, where they also resist the joints that carry them; in MuJoCo their joint alone feels
them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import get_args

import numpy as np

from robots.model import Engine
from sdk.config import resolve_config
from sdk.evaluate import Evaluation
from sdk.results import Row, at_least, measured, write_result
from sdk.ship import export_run
from sdk.statistics import mean_ci95
from sdk.through_twin import HeldOut, drive
from sdk.train import train

FOLDER, STEPS, SEED = Path("runs/cross_engine"), 600_000, 0
TASKS = {"servo_arm": "track_target", "kuka": "reach"}
ARMS = ("robust", "rl2")
"""Without memory, and with: the second is to lose less."""

Played = dict[str, Evaluation]
"""By engine."""


def bundle_of(robot: str, arm: str) -> Path:
    """Return an arm's bundle, training and exporting what is not there yet."""
    folder = FOLDER / f"{robot}_{arm}"
    settings = [f"robot={robot}", f"task={TASKS[robot]}", f"steps={STEPS}", f"seed={SEED}"]
    if not (folder / "checkpoint.pt").is_file():
        train(resolve_config(arm, None, settings), folder)
    if not (folder / "bundle").exists():
        export_run(folder, folder / "bundle", worlds=16)
    return folder / "bundle"


def play(bundle: Path, robot: str, worlds: int) -> Played:
    """Drive a bundle through the same held-out worlds in every engine."""
    engines: tuple[Engine, ...] = get_args(Engine)
    where = {engine: HeldOut(robot, worlds, SEED, task=TASKS[robot], engine=engine) for engine in engines}
    return {engine: drive(bundle, place).evaluation for engine, place in where.items()}


def rows_of(robot: str, played: dict[str, Played]) -> list[Row]:
    """Return what each arm of a robot earns and loses, and how much less the one with memory loses."""
    rows = []
    for arm, found in played.items():
        rows += [_earned(f"{robot}/{arm}/{engine}", one) for engine, one in found.items()]
        rows.append(measured(f"{robot}/{arm}/drop", mean_ci95(_drop(found)), "return of a trial lost in MuJoCo"))
    less = mean_ci95(_drop(played["robust"]) - _drop(played["rl2"]))
    rows.append(at_least(f"{robot}/adaptive_loses_less", less, "return of a trial, paired by world", 0.0))
    return rows


def _earned(name: str, found: Evaluation) -> Row:
    episodes = {f"episode {k}": float(mean) for k, mean in enumerate(found.per_episode.mean(0), start=1)}
    return measured(name, found.mean, "return of a trial", **episodes, success=float(found.success.mean()))


def _drop(found: Played) -> np.ndarray:
    return found["pybullet"].returns - found["mujoco"].returns


def main() -> None:
    """Train what is missing, measure and write `benchmarks/results/cross_engine.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=100, help="held-out worlds, one trial each, in each engine")
    parser.add_argument("--robot", choices=TASKS, action="append", help="only this one; repeatable; records nothing")
    given = parser.parse_args()
    start, rows = time.monotonic(), list[Row]()
    for robot in given.robot or TASKS:
        rows += rows_of(robot, {arm: play(bundle_of(robot, arm), robot, given.worlds) for arm in ARMS})
        print(*rows, sep="\n", flush=True)
    if not given.robot:
        print(write_result("cross_engine", "python -m benchmarks.cross_engine", [SEED], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
