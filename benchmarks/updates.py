"""How fast soft actor-critic learns on one thread, and what a correction for other dynamics adds to that.

    python -m benchmarks.updates [--rounds N]

Each arm of the half-cheetah's problem, with networks as wide as the public ones: a whole update, in which the
correction's classifiers descend as well and every batch is corrected anew. What is played, in either domain, is played
before the clock starts. Rounds of all arms alternate, so that what else the machine does slows all of them; the fastest
counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from sdk.algos.base import find_algorithm
from sdk.config import TrainConfig
from sdk.engines.local import LocalEngine, build_policy
from sdk.offdynamics.benchmark.problem import find_problems
from sdk.offdynamics.corrected import corrected
from sdk.offdynamics.target_data import TargetRows
from sdk.results import Row, measured, write_result
from sdk.rl.learner import Learner
from sdk.rl.rollout import Rollout
from sdk.train import world_shape

PROBLEM, TARGET = "off-dynamics/cheetah", "dead"
ARMS = ("source_only", "mixed", "importance", "par", "darc", "darc_rows")
PUBLIC = 125.0
"""Updates a second of a public implementation on one thread, at this batch and these widths."""

WIDTHS = (256, 256)
"""Those widths."""

AFTER = 1_000
"""An iteration when all warm-ups are over."""


class Played:
    """A target that was played before."""

    knows_ends = True

    def __init__(self, rows: TargetRows | None) -> None:
        self._rows = rows

    def collect(self, policy: Any, iteration: int) -> TargetRows | None:
        """Return the same rows again."""
        return self._rows


class Stand:
    """An arm's learner with what it has played, ready to be timed."""

    def __init__(self, config: TrainConfig) -> None:
        shape = world_shape(config)
        self.descents = max(1, round(config.method["updates_per_step"] * config.trials * shape.trial_steps))
        self.learner: Learner = find_algorithm(config.algo).learner(build_policy(config, shape), config)
        if config.reward_correction is not None:
            whole = corrected(self.learner, config, config.reward_correction, shape)
            whole.target = Played(whole.target.collect(whole.policy, 0))
            self.learner = whole
        self.rollout = _played(config, self.learner)
        while self.rate() == 0.0:  # until the learner's own warm-up is over
            pass

    def rate(self) -> float:
        """Return the descents a second of one update; 0 when it did not learn yet."""
        start = time.perf_counter()
        statistics = self.learner.update(self.rollout, AFTER, 0.5)
        return self.descents / (time.perf_counter() - start) if "critic_loss" in statistics else 0.0


def _played(config: TrainConfig, learner: Learner) -> Rollout:
    engine = LocalEngine(config)
    try:
        return engine.collect(learner.policy, 0)
    finally:
        engine.close()


def rates_of(configs: dict[str, TrainConfig], rounds: int) -> dict[str, float]:
    """Return each arm's updates a second, the fastest of all rounds."""
    stands = {arm: Stand(config) for arm, config in configs.items()}
    timed = [{arm: stand.rate() for arm, stand in stands.items()} for _ in range(rounds)]
    return {arm: max(one[arm] for one in timed) for arm in stands}


def widened(config: TrainConfig) -> TrainConfig:
    """Return the configuration with networks as wide as the public ones."""
    return config.model_copy(update={"policy": config.policy.model_copy(update={"hidden": WIDTHS})})


def sizes_of(config: TrainConfig) -> str:
    """Say what of a run its rate depends on."""
    return f"batch {config.method['batch']}, {' × '.join(map(str, config.policy.hidden))}"


def rows_of(rates: dict[str, float], sizes: str) -> list[Row]:
    """Return each arm's rate, its minutes for a million updates, and what it costs beside no correction."""
    plain = rates["source_only"]
    rows = []
    for arm, rate in rates.items():
        rows += [
            measured(f"{arm}/rate", rate, f"updates/s on one thread, {sizes}", public=PUBLIC),
            measured(f"{arm}/per_million", 1e6 / rate / 60, "min for a million updates"),
            measured(f"{arm}/cost", plain / rate, "of an update without a correction"),
        ]
    return rows


def main() -> None:
    """Time all arms and write `benchmarks/results/updates.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.monotonic()
    (problem,) = find_problems(PROBLEM)
    configs = {arm: widened(problem.run(arm, TARGET, 0, Path()).config) for arm in ARMS}
    rows = rows_of(rates_of(configs, given.rounds), sizes_of(configs["source_only"]))
    command = f"python -m benchmarks.updates --rounds {given.rounds}"
    print(write_result("updates", command, [0], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
