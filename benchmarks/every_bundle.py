"""What must hold of every algorithm's bundle: its graphs do what the policy did, here, in Node and in C++.

    python -m benchmarks.every_bundle

Each algorithm that can leave for a robot is trained for a few iterations with networks of its usual size, on a robot
that reports a reward where it adapts by one, and exported twice. The policies are not good; but their weights and
normalisers are trained ones. A client whose tools are absent is a row that says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.clients import Command, clients, golden_errors
from export.bundle import Bundle, read_bundle
from export.golden_adaptation import check_golden_adaptation
from export.manifest import PARITY_TOLERANCE
from export.verify import check_golden
from sdk.algos.base import algorithm_names, find_algorithm
from sdk.config import TrainConfig, resolve_config
from sdk.results import Row, at_least, at_most, measured, write_result
from sdk.rl.meta_settings import InnerConfig
from sdk.rl.soft import SoftConfig
from sdk.rl.two_phases import TwoPhaseSettings
from sdk.ship import export_run
from sdk.train import train

CLIENT_BAR = 1e-6
BRIEF = ("trials=4", "robots=4", "workers=0", "ppo.epochs=1")
SELDOM = ("method.updates_per_step=0.02",)
"""For algorithms that learn after every control step."""

GUIDED = ("method.expert.updates_per_step=0.02", "method.expert_steps=2400")
"""For the one that asks experts, who play half of these steps."""


def deployable() -> list[str]:
    """Return the names of the algorithms whose policies can leave for a robot."""
    return [name for name in algorithm_names() if find_algorithm(name).deployable]


def adapts_by_reward(algo: str) -> bool:
    """Whether an algorithm adapts between episodes, by their rewards."""
    return issubclass(find_algorithm(algo).settings, InnerConfig)


def subject(algo: str) -> tuple[str, ...]:
    """Return the robot and task to train on: one with a goal, or the servo arm, which may report its reward."""
    if algo == "her":
        return "robot=panda", "task=reach_sparse"
    return "robot=servo_arm", f"task={'track_rewarded' if adapts_by_reward(algo) else 'track_target'}"


def half_and_half(algo: str) -> tuple[str, ...]:
    """Return what lets a run of two iterations or a few more see both phases of an algorithm that has two."""
    two = issubclass(find_algorithm(algo).settings, TwoPhaseSettings)
    return ("method.phase_two=0.5", "method.updates=2") if two else ()


def brief(algo: str, *overrides: str) -> TrainConfig:
    """Return the configuration of two iterations or a few more."""
    seldom = SELDOM if issubclass(find_algorithm(algo).settings, SoftConfig) else ()
    own = GUIDED if algo == "gmps" else seldom
    return resolve_config(algo, None, [*BRIEF, "steps=4800", *subject(algo), *own, *half_and_half(algo), *overrides])


def rows_of(algo: str, commands: Mapping[str, Command]) -> list[Row]:
    """Train one algorithm briefly, export it twice and measure its bundle."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(brief(algo), folder / "run")
        paths = [folder / f"{k}.zip" for k in range(2)]
        for path in paths:
            export_run(folder / "run", path, worlds=2)
        first, second = (path.read_bytes() for path in paths)
        equal = at_least(f"{algo}/byte_identical", first == second, "1: two exports are equal", 1, bytes=len(first))
        return [*parity_rows(read_bundle(paths[0]), commands), equal]


def parity_rows(bundle: Bundle, commands: Mapping[str, Command]) -> list[Row]:
    """Hold a bundle's graphs against the policy, and every client against its golden trace."""
    manifest = bundle.manifest
    algo, parity, adapts = manifest.algorithm, manifest.parity, manifest.adaptation
    unit = f"largest error of {parity.steps} steps in closed loop, {parity.episodes} episodes"
    rows = [at_most(f"{algo}/step", parity.max_abs_error, unit, PARITY_TOLERANCE)]
    if adapts is not None:
        unit = "largest error of the graph beside the policy's adapt"
        again = check_golden_adaptation(bundle).max_abs_error
        rows.append(at_most(f"{algo}/adapt", adapts.max_abs_error, unit, PARITY_TOLERANCE, golden=again))
    errors = {"python": check_golden(bundle).max_abs_error, **golden_errors(commands, Path(bundle.source))}
    return [*rows, at_most(f"{algo}/golden", max(errors.values()), "from the golden trace", CLIENT_BAR, **errors)]


def main() -> None:
    """Measure and write `benchmarks/results/every_bundle.json`."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        commands, absent = clients(Path(name))
        rows = [measured(f"client/{client}/skipped", 1, reason) for client, reason in absent.items()]
        for algo in deployable():
            rows += rows_of(algo, commands)
            print(*rows[-4:], sep="\n", flush=True)
    print(write_result("every_bundle", "python -m benchmarks.every_bundle", [0], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
