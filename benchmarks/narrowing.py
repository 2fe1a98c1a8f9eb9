"""Whether training on the worst worlds, and on worlds narrowed by a machine's recordings, is worth it.

    python -m benchmarks.narrowing epopt worth [--seeds 0 1 2] [--steps N] [--worlds N] [--to FOLDER]

`epopt`: the hopper, with uniform randomisation and with the worst tenth of the trials; 10th percentile and mean over
worlds never seen. `worth`: a loop of two visits narrows the servo arm's worlds; robust and adaptive arms, trained as
long on these and on the wide prior, are played in worlds of the posterior and of the prior. Runs that are there are
used, or continued.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from sdk.config import TrainConfig, resolve_config
from sdk.evaluate import evaluate_run
from sdk.narrow.rounds import narrow
from sdk.narrow.settings import NarrowSettings
from sdk.results import Row, at_least, measured, write_result
from sdk.statistics import mean_ci95, seeds_by_tasks_ci95
from sdk.suite.training import Job, train_side_by_side

EPSILON, WARM_UP = 0.1, 0.3
"""EPOpt's ε, and the share of the run that learns from all trials before."""

ABOVE, KEPT = 1.3, 0.95
"""What EPOpt's 10th percentile and mean must be, of uniform randomisation's."""

HOPPING = ("ppo.gamma=0.99", "ppo.gae_lambda=0.9", "ppo.lr=5e-4", "ppo.epochs=10", "ppo.minibatches=8", "ppo.bptt=50")
"""Small steps, many of them: with PPO's own settings the hopper does not learn to hop. Policies without memory learn
from segments: of the worst few trials are left, and long ones."""

STEPS = {"epopt": 3_000_000, "worth": 1_000_000}
SMALL = 100_000
"""Steps up to which batches are small, so that the whole benchmark can be tried out."""


class Budget(NamedTuple):
    """What is spent: seeds, control steps of a run, worlds played with each; where runs are kept, how many at once."""

    seeds: tuple[int, ...]
    steps: int
    worlds: int
    folder: Path
    at_once: int = 1

    @property
    def training(self) -> tuple[str, ...]:
        """The overrides that every run shares."""
        small = ("trials=4", "robots=4", "workers=0", "policy.hidden=[8]", "policy.memory=8")
        return (f"steps={self.steps}", *(small if self.steps < SMALL else ()))


def epopt_rows(budget: Budget, console: Console) -> list[Row]:
    """Train the hopper both ways with every seed; rows of the worst tenth of worlds and of their mean."""
    ways = {"uniform": HOPPING, "epopt": (*HOPPING, f"ppo.worst={EPSILON}", f"ppo.worst_from={WARM_UP}")}
    runs = {(way, seed): budget.folder / f"{way}_{seed}" for way in ways for seed in budget.seeds}
    jobs = {
        f"{way} {seed}": Job(_config("robust", "hopper", seed, (*budget.training, *ways[way])), folder)
        for (way, seed), folder in runs.items()
    }
    train_side_by_side(jobs, console, budget.at_once)
    returns = {
        way: np.stack([evaluate_run(runs[way, seed], budget.worlds, seed=seed).returns for seed in budget.seeds])
        for way in ways
    }
    return epopt_bars(returns["uniform"], returns["epopt"])


def epopt_bars(uniform: np.ndarray, epopt: np.ndarray) -> list[Row]:
    """Return rows for returns `[seeds, worlds]` of both ways: seeds are averaged, worlds are not."""
    worst, mean = ([np.quantile(x, 0.1, axis=1) for x in (uniform, epopt)], [x.mean(1) for x in (uniform, epopt)])
    unit = "return"
    return [
        measured("hopper/uniform/p10", mean_ci95(worst[0]), f"{unit}, 10th percentile of worlds"),
        at_least("hopper/epopt/p10", mean_ci95(worst[1]), unit, ABOVE * float(worst[0].mean())),
        measured("hopper/uniform/mean", mean_ci95(mean[0]), f"{unit}, mean of worlds"),
        at_least("hopper/epopt/mean", mean_ci95(mean[1]), unit, KEPT * float(mean[0].mean())),
        measured("hopper/uniform/worst_share", mean_ci95(np.array(worst[0]) / mean[0]), "10th percentile of the mean"),
    ]


def worth_rows(budget: Budget, console: Console) -> list[Row]:
    """Narrow by a loop, train on narrow and wide worlds with every seed, and play both in both."""
    loop = NarrowSettings(episodes=6, train=budget.training, export_worlds=min(50, budget.worlds))
    if budget.steps < SMALL:
        few = {"segments": 12, "evaluations": 10, "particles": 20, "rounds": 1}
        loop = loop.model_copy(update={"identify": loop.identify.model_copy(update=few)})
    narrow(loop, budget.folder / "loop", console)
    near = str(budget.folder / "loop/round_1/worlds" / loop.robot)
    worlds = {"wide": loop.robot, "narrow": near}
    runs = {
        (arm, kind, seed): budget.folder / f"{arm}_{kind}_{seed}"
        for arm in ("robust", "rl2")
        for kind in worlds
        for seed in budget.seeds
    }
    jobs = {
        " ".join(map(str, key)): Job(_config(key[0], worlds[key[1]], key[2], budget.training), folder)
        for key, folder in runs.items()
    }
    train_side_by_side(jobs, console, budget.at_once)
    played = {
        (arm, kind, where): np.stack(
            [
                evaluate_run(runs[arm, kind, seed], budget.worlds, seed=0, robot=worlds[where]).returns
                for seed in budget.seeds
            ]
        )
        for arm in ("robust", "rl2")
        for kind in worlds
        for where in worlds
    }
    return worth_bars(played)


def worth_bars(played: dict[tuple[str, str, str], np.ndarray]) -> list[Row]:
    """Return rows for returns `[seeds, worlds]` by (arm, trained on, played in); worlds of equal place are equal."""
    rows = []
    for arm in ("robust", "rl2"):
        rows += [
            measured(
                f"{arm}/wide/{where}",
                seeds_by_tasks_ci95(played[arm, "wide", where]),
                f"return of a trial, played in {where} worlds",
            )
            for where in ("narrow", "wide")
        ]
        gain = seeds_by_tasks_ci95(played[arm, "narrow", "narrow"] - played[arm, "wide", "narrow"])
        rows.append(at_least(f"{arm}/gain_near", gain, "return that narrowing gains in worlds of the posterior", 0.0))
    lost = seeds_by_tasks_ci95(played["rl2", "narrow", "wide"] - played["robust", "wide", "wide"])
    rows.append(at_least("rl2/over_robust_outside", lost, "return above robust training in worlds of the prior", 0.0))
    return rows


def _config(algo: str, robot: str, seed: int, overrides: Sequence[str]) -> TrainConfig:
    return resolve_config(algo, None, [f"robot={robot}", f"seed={seed}", *overrides])


PARTS: dict[str, Callable[[Budget, Console], list[Row]]] = {"epopt": epopt_rows, "worth": worth_rows}


def main() -> None:
    """Measure the parts asked for and write their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, help="control steps of each run")
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--to", type=Path, default=Path("runs/narrowing"), help="where runs are kept")
    parser.add_argument("--jobs", type=int, default=1, help="runs trained at once, each of about 2 GB")
    options = parser.parse_args()
    for part in options.parts:
        start = time.monotonic()
        steps = options.steps or STEPS[part]
        budget = Budget(tuple(options.seeds), steps, options.worlds, options.to / part, options.jobs)
        rows = PARTS[part](budget, Console(stderr=True))
        said = "" if options.steps is None else f" --steps {steps}"
        command = f"python -m benchmarks.narrowing {part}{said}"
        print(write_result(f"narrowing_{part}", command, options.seeds, time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
