"""Every robot's environment against the physics inside it, its resets, two workers, and other libraries.

    python -m benchmarks.envs [--peers PYTHON_OF_A_VENV]

Speeds are ratios within this run. Every episode is played several times and the fastest counts: what else the machine
does only ever adds time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.env_timing import Timer, workers_rate
from benchmarks.peers import beside_peers
from robots.spec import robot_names
from sdk.results import Row, at_least, at_most, measured, write_result

EPISODES, REPEATS, STEPS, RESETS = 12, 6, 25, 40
FINE, GOOD, SMALL = 0.85, 0.6, 0.4
BARS = {
    **dict.fromkeys(("a1", "ant", "half_cheetah", "husky"), FINE),
    **dict.fromkeys(("kuka", "panda"), GOOD),
    **dict.fromkeys(("servo_arm", "cartpole", "double_pendulum"), SMALL),
}
"""Least share of an environment step that is physics: the less physics there is, the less can be asked."""

RESET_BARS = {"a1": 1e-3}
"""Longest reset with all parameters drawn and written [s]."""

WORKERS, WORKER_SECONDS, WORKER_ROUNDS, SPEED_UP = "a1", 4.0, 3, 1.8


def speed(robot: str, episodes: int = EPISODES, repeats: int = REPEATS) -> list[Row]:
    """Compare a robot's environment steps with bare physics, and time its resets."""
    timer = Timer(robot, STEPS)
    timer.time(0)
    times = np.array([[timer.time(episode) for episode in range(episodes)] for _ in range(repeats)])
    resets = [timer.reset(k) for k in range(RESETS)]
    timer.close()
    full, bare = times.min(axis=0).mean(axis=0).tolist()
    ratio = bare / full
    name, reset = f"{robot}/physics_share", float(np.median(resets)) * 1e3
    return [
        at_least(name, ratio, "of a step", BARS.get(robot)),
        measured(f"{robot}/steps_per_second", 1 / full, "steps/s/core", bare=1 / bare),
        at_most(f"{robot}/reset", reset, "ms", RESET_BARS[robot] * 1e3)
        if robot in RESET_BARS
        else measured(f"{robot}/reset", reset, "ms"),
    ]


def two_workers(seconds: float = WORKER_SECONDS, rounds: int = WORKER_ROUNDS) -> list[Row]:
    """Compare two processes with one, in turns."""
    pairs = [[workers_rate(WORKERS, count, seconds) for count in (1, 2)] for _ in range(rounds)]
    gain = float(np.median([two / one for one, two in pairs]))
    one, two = np.median(pairs, axis=0).tolist()
    return [at_least(f"{WORKERS}/two_workers", gain, "times one worker", SPEED_UP, one=one, two=two)]


def main() -> None:
    """Measure everything and write `benchmarks/results/envs.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="Python that has panda-gym and pybullet_envs_gymnasium")
    arguments = parser.parse_args()
    start = time.monotonic()
    rows = [row for robot in robot_names() for row in speed(robot)]
    rows += [*two_workers(), *beside_peers(arguments.peers)]
    command = "make bench-envs" if arguments.peers is None else "make bench-envs PEERS=python-of-the-peers"
    print(write_result("envs", command, [0], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
