"""How often a walking robot's contacts must be solved: motion at its substeps, at half and at twice as many.

    python -m benchmarks.contact_rate

Each robot moves in the nominal world, a sine of the whole action range on every joint at a phase of its own in each
episode, and is compared with the same motion at 16 substeps. Later than 0.1 s contacts come and go at other moments,
and every rate departs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from domain_rand.keys import keyed_rng
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec, load_robot
from sdk.results import Row, measured, write_result

ROBOTS = ("a1", "aliengo")
FINEST, EPISODES, SECONDS = 16, 32, 0.1
FREQUENCY = 2.0
"""Of the sine, in Hz."""


def rows(robot: str) -> list[Row]:
    """Return one row for each number of substeps: how far the base was from where the finest solution had it."""
    spec, _ = load_robot(robot)
    chosen = spec.model.solver_substeps
    finest = positions(spec, FINEST)
    unit = f"mm after {SECONDS:g} s"
    return [
        measured(f"{robot}/substeps_{n}", 1e3 * rms(positions(spec, n) - finest), unit, chosen=chosen)
        for n in (chosen // 2, chosen, 2 * chosen)
    ]


def positions(spec: RobotSpec, substeps: int) -> np.ndarray:
    """Return where the base is [m] at the end of each episode, `[EPISODES, 3]`."""
    model = spec.model.model_copy(update={"solver_substeps": substeps})
    robot = SimulatedRobot(spec.model_copy(update={"model": model}))
    ends = [_played(robot, spec, episode) for episode in range(EPISODES)]
    robot.close()
    return np.array(ends)


def rms(error: np.ndarray) -> float:
    """Return the root mean square length of `error` `[N, 3]`."""
    return float(np.sqrt((error**2).sum(-1).mean()))


def _played(robot: SimulatedRobot, spec: RobotSpec, episode: int) -> tuple[float, ...]:
    action, dt = spec.contract.action, spec.contract.control_dt
    rng = keyed_rng(0, "contact_rate", episode, "phase")
    phase = rng.uniform(0, 2 * np.pi, len(spec.contract.joints))
    robot.start(spec.task.task.begin(rng, robot.view).start, rng)
    for step in range(round(SECONDS / dt)):
        sine = np.sin(2 * np.pi * FREQUENCY * step * dt + phase)
        robot.step((np.array(action.offset) + np.array(action.scale) * sine).tolist())
    return robot.view.base_pos_world


def main() -> None:
    """Measure and write `benchmarks/results/contact_rate.json`."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start = time.monotonic()
    found = [row for robot in ROBOTS for row in rows(robot)]
    print(write_result("contact_rate", "python -m benchmarks.contact_rate", [0], time.monotonic() - start, found))


if __name__ == "__main__":
    main()
