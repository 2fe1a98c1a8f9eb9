"""Bundles trained in PyBullet, driven through the same worlds in PyBullet and in MuJoCo: what each loses there.

    python -m benchmarks.cross_engine [--steps N] [--worlds N] [--untrained]

First, how far the same actions carry robots apart in a second. Then the shipped bundle of the servo arm, the control:
both engines solve its equations to rounding, so that whatever it lost would not be physics. Then short runs of an arm
without and with memory, reused where they are there already, on three robots: the iiwa, whose rotors' inertia PyBullet
lumps into the links, where it also resists the joints that carry them, and MuJoCo has felt by its own joint alone; the
double pendulum, with its rotors as the machine's; and the Husky, which steers by letting its wheels slip, and so by
what an engine makes of contact. Each bundle meets the same hidden parameters, starts, goals and noise in both engines,
driven by the runtime in this process. `--untrained` leaves out what is trained.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import get_args

import numpy as np

from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from robots.drivers.sim import SimDriver
from robots.model import Engine
from robots.robot_env import RobotEnv
from sdk.config import resolve_config
from sdk.results import Row, at_least, at_most, measured, write_result
from sdk.ship import export_run
from sdk.statistics import mean_ci95
from sdk.train import train

FOLDER, SEED, STREAM = Path("runs/cross_engine"), 0, "held_out"
CONTROL = Path("bundles/servo_arm_rl2.zip")
TASKS = {"kuka": "reach", "double_pendulum": "full", "husky": "drive_to_goal"}
"""Of each robot that arms are trained on."""

ARMS = ("robust", "rl2")
"""Without memory, and with: the second is to keep more."""

BATCHES = {"husky": ("trials=8", "robots=8", "workers=0", "ppo.bptt=48")}
"""Where experience is slow to come by, the policy changes more often."""

ENGINES: tuple[Engine, ...] = get_args(Engine)
OPEN_LOOP = ("servo_arm", "cartpole", "double_pendulum", "kuka", "a1", "husky")

Returns = dict[Engine, np.ndarray]
"""Return of each trial `[worlds]`, by engine."""


def open_loop(robot: str, worlds: int = 20) -> Row:
    """Return how far apart the joints are after a second of the same actions: the median over worlds."""
    one, other = (np.array(_after_a_second(robot, engine, worlds)) for engine in ENGINES)
    apart = np.abs(one - other).max(-1)
    unit = "rad between the engines after 1 s of the same actions, largest joint, median over worlds"
    return measured(f"open_loop/{robot}", float(np.median(apart)), unit, worst=float(apart.max()))


def _after_a_second(robot: str, engine: Engine, worlds: int) -> list[list[float]]:
    """Joint positions [rad, m] in each world, under gentle actions that change five times a second."""
    ends = []
    with closing(RobotEnv(robot, stream=STREAM, engine=engine)) as env:
        steps, held = (round(seconds / env.contract.control_dt) for seconds in (1.0, 0.2))
        for world in range(worlds):
            env.reset(seed=SEED, options={"world": world})
            actions = np.random.default_rng(world).uniform(-0.2, 0.2, (steps, len(env.contract.joints)))
            for step in range(steps):
                env.step(actions[step // held])
            ends.append(env.robot.world.joint_pos)
    return ends


def bundle_of(robot: str, arm: str, steps: int) -> Path:
    """Return an arm's bundle, training and exporting what is not there yet."""
    folder = FOLDER / f"{robot}_{arm}_{steps}"
    if not (folder / "checkpoint.pt").is_file():
        settings = [f"robot={robot}", f"task={TASKS[robot]}", f"steps={steps}", f"seed={SEED}"]
        train(resolve_config(arm, None, [*settings, *BATCHES.get(robot, ())]), folder)
    if not (folder / "bundle").exists():
        export_run(folder, folder / "bundle", worlds=16)
    return folder / "bundle"


def play(bundle: Path, worlds: int, task: str | None = None) -> Returns:
    """Drive a bundle through the same held-out worlds, one trial each, in every engine."""
    policy = Policy.load(bundle)
    where = {"worlds": worlds, "seed": SEED, "stream": STREAM, "task": task}
    found = {}
    for engine in ENGINES:
        driver = SimDriver(policy.contract.robot, policy.contract, engine=engine, **where)  # type: ignore[arg-type]
        with closing(driver):
            run_loop(policy, driver)
            found[engine] = np.array([score.total for score in driver.scores])
    return found


def rows_of(name: str, found: Returns) -> list[Row]:
    """Return what a bundle earns in each engine, and what it loses in the second."""
    unit = "return of a trial"
    earned = [measured(f"{name}/{engine}", mean_ci95(returns), unit) for engine, returns in found.items()]
    return [*earned, measured(f"{name}/drop", mean_ci95(_drop(found)), f"{unit} lost in MuJoCo, paired by world")]


def _drop(found: Returns) -> np.ndarray:
    return found["pybullet"] - found["mujoco"]


def trained(robot: str, steps: int, worlds: int) -> list[Row]:
    """Return what each arm loses in MuJoCo, how much less the one with memory loses, and what more it earns there."""
    played = {arm: play(bundle_of(robot, arm, steps), worlds, TASKS[robot]) for arm in ARMS}
    rows = [row for arm, found in played.items() for row in rows_of(f"{robot}/{arm}", found)]
    return rows + kept(robot, *played.values())


def kept(robot: str, without: Returns, adaptive: Returns) -> list[Row]:
    """Return how much less memory loses than an arm without, and how much more it has left."""
    unit = "return of a trial, paired by world"
    less, more = _drop(without) - _drop(adaptive), adaptive["mujoco"] - without["mujoco"]
    return [
        at_least(f"{robot}/adaptive_loses_less", mean_ci95(less), unit, 0.0),
        at_least(f"{robot}/adaptive_has_more_left", mean_ci95(more), unit, 0.0),
    ]


def main() -> None:
    """Train what is missing, measure and write `benchmarks/results/cross_engine.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600_000, help="control steps of each training run")
    parser.add_argument("--worlds", type=int, default=100, help="held-out worlds, one trial each, in each engine")
    parser.add_argument("--untrained", action="store_true", help="only what needs no training")
    given = parser.parse_args()
    start = time.monotonic()
    rows = [open_loop(robot) for robot in OPEN_LOOP]
    control = play(CONTROL, given.worlds)
    rows += rows_of("servo_arm/rl2", control)
    rows.append(at_most("servo_arm/rl2/apart", float(np.abs(_drop(control)).max()), "return, worst world", 0.01))
    for robot in () if given.untrained else TASKS:
        rows += trained(robot, given.steps, given.worlds)
    print(*rows, sep="\n")
    arms = "--untrained" if given.untrained else f"--steps {given.steps}"
    command = f"python -m benchmarks.cross_engine {arms} --worlds {given.worlds}"
    print(write_result("cross_engine", command, [SEED], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
