"""Learned optimiser and Meta Network against plain gradient steps of tuned length, from the same weights.

    python -m benchmarks.learned_updates --seeds 0 1 2

Trains what `sdk/configs/benchmarks/navigation_updates.yaml` says, or uses the runs that are there. Then what was
learned of adapting is switched off, the weights stay, and the length of the steps, from the first and from the second
on, is tuned on tasks of its own, once for each number of updates that is judged. Meta Network writes weights and then
takes plain steps itself: their lengths are tuned for it just so.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from rich.console import Console

from sdk.config import TrainConfig
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.evaluate import HELD_OUT, by_episode
from sdk.results import Row, at_least, measured, write_result
from sdk.suite.definition import Benchmark, find_benchmark
from sdk.suite.options import Options
from sdk.suite.outcome import by_seed, over_seeds
from sdk.suite.training import train_side_by_side
from sdk.train import load_policy

NAME, TUNING = "navigation_updates", "tuning"
UPDATES = (1, 3, 10)
LENGTHS, SHARES = (0.03, 0.1, 0.3, 1.0), (1.0, 0.4, 0.15)
"""Lengths of a first step for a gradient of norm 1, and shares of it that later steps take."""

TUNING_TASKS = 40


def plain(policy: Any, length: float, share: float) -> Any:
    """Return a policy with the same weights that takes plain steps down the gradient: its learned rule says nothing."""
    sgd = lengthened(policy, length, share)
    with torch.no_grad():
        for name, weight in sgd.named_parameters():
            if name == "learned.readout" or name.startswith("encoder.last."):
                weight.zero_()
    return sgd


def lengthened(policy: Any, length: float, share: float) -> Any:
    """Return a policy with the same weights and what it writes, whose steps have other lengths."""
    other = copy.deepcopy(policy)
    other.rule = replace(other.rule, lr=length, later_share=share)
    return other


def by_update(config: TrainConfig, policy: Any, tasks: int, stream: str) -> np.ndarray:
    """Return the mean return of an attempt `[tasks, updates + 1]`, before any update and after each."""
    worlds = make_worlds(config, size=min(tasks, 50), seed=0, stream=stream)
    rollout = collect_in_waves(worlds, policy, list(range(tasks)), 0, stream, explore=False)
    attempts = by_episode(rollout).per_episode
    return attempts.reshape(tasks, -1, policy.rule.every).mean(-1)


def tuned(
    config: TrainConfig,
    policy: Any,
    updates: Sequence[int],
    tasks: int = TUNING_TASKS,
    made: Callable[[Any, float, float], Any] = plain,
) -> dict[int, Any]:
    """Return the policy `made` of lengths that is best after each number of updates, on tasks that none else uses."""
    candidates = [made(policy, *lengths) for lengths in product(LENGTHS, SHARES)]
    means = np.stack([by_update(config, one, tasks, TUNING).mean(0) for one in candidates])
    return {k: candidates[int(means[:, k].argmax())] for k in updates}


def of_seed(benchmark: Benchmark, algo: str, options: Options, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return returns before any update `[tasks]`, and after each number of them of what was learned and of plain steps.

    `[updates, tasks]` each, by "learned" and "plain".
    """
    torch.set_num_threads(1)
    config, policy, _ = load_policy(options.run_folder(benchmark, algo, seed))

    @cache
    def held_out(one: Any) -> np.ndarray:
        return by_update(config, one, benchmark.file.tasks, HELD_OUT)

    ways = {"learned": dict.fromkeys(UPDATES, policy), "plain": tuned(config, policy, UPDATES)}
    if takes_plain_steps(policy):
        ways["learned"] = tuned(config, policy, UPDATES, made=lengthened)
    after = {way: np.stack([held_out(one)[:, k] for k, one in best.items()]) for way, best in ways.items()}
    return held_out(policy)[:, 0], after


def takes_plain_steps(policy: Any) -> bool:
    """Return whether steps down the gradient follow what a policy has learned of adapting."""
    return hasattr(policy, "encoder")


def compared(benchmark: Benchmark, algo: str, options: Options, jobs: int = 1) -> list[Row]:
    """Return, for each number of updates, what was learned beside what plain steps make of the same weights."""
    given = [(benchmark, algo, options, seed) for seed in options.seeds]
    if jobs == 1:
        found = [of_seed(*one) for one in given]
    else:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(of_seed, *zip(*given, strict=True)))
    rows = [measured(f"{algo}/before", over_seeds([before for before, _ in found]), "return of an attempt")]
    for i, k in enumerate(UPDATES):
        ours, theirs = ([after[way][i] for _, after in found] for way in ("learned", "plain"))
        seeds = by_seed(dict(zip(options.seeds, (float(x.mean()) for x in ours), strict=True)))
        name, unit, sgd = f"{algo}/after_{k}", "return of an attempt", over_seeds(theirs)
        rows.append(at_least(name, over_seeds(ours), unit, sgd.value, tuned_sgd=sgd.value, **seeds))
        rows.append(measured(f"{algo}/after_{k}/tuned_sgd", sgd, unit))
    return rows


def main() -> None:
    """Write `benchmarks/results/learned_updates.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="seeds judged at once")
    given = parser.parse_args()
    seeds = given.seeds
    torch.set_num_threads(1)
    start, benchmark, options = time.monotonic(), find_benchmark(NAME), Options(seeds=tuple(seeds))
    train_side_by_side(options.jobs(benchmark, options.chosen(benchmark)), Console(), options.at_once)
    rows = [row for algo in options.chosen(benchmark) for row in compared(benchmark, algo, options, given.jobs)]
    command = f"python -m benchmarks.learned_updates --seeds {' '.join(map(str, seeds))}"
    print(write_result("learned_updates", command, seeds, time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
