"""Soft actor-critic beside stable-baselines3's: the same robot, networks and settings, as many steps and descents.

    python -m benchmarks.sac_beside_sb3 [--seeds 0 1 2] [--steps N] [--worlds N] [--to FOLDER]

The cart-pole swings its pole up from hanging, in worlds drawn as for any training. A step of either is one control
period and one descent; what differs is what is each library's own: here whole trials are collected before their
descents follow and observations are normalised, there both alternate. Each is then played in the same held-out worlds,
from the same starts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console

from robots.robot_env import RobotEnv
from robots.spec import load_robot
from sdk.config import TrainConfig, configure
from sdk.evaluate import HELD_OUT, evaluate_run
from sdk.progress import bar
from sdk.results import Row, at_least, measured, write_result
from sdk.statistics import mean_ci95, seeds_by_tasks_ci95
from sdk.train import train

ROBOT, TASK = "cartpole", "swing_up"
EPISODES = load_robot(ROBOT, TASK)[0].task.episodes
SETTINGS: dict[str, Any] = {
    "policy": {"hidden": [128, 128], "informed_critic": False},
    "method": {
        "lr": 1e-3,
        "gamma": 0.98,
        "tau": 0.005,
        "batch": 256,
        "updates_per_step": 1.0,
        "warm_up": 1600,
        "temperature": 0.1,
        "automatic": True,
        "target_entropy": -1.0,
    },
}
SHARE, HELD_OUT_SEED = 0.95, 0
"""Of what the peer earns, what ours is to earn; the seed of the worlds both are played in."""

Report = Callable[[int], None]


class Run(NamedTuple):
    """A seed, its control steps, the worlds it is judged in, and where ours is kept."""

    seed: int
    steps: int
    worlds: int
    folder: Path


def ours(run: Run, report: Report) -> tuple[np.ndarray, float]:
    """Train ours; return what it earns in each held-out world `[worlds]`, and its descents a second."""
    folder, start = run.folder / f"seed_{run.seed}", time.monotonic()
    train(our_config(run.seed, run.steps), folder, report=lambda progress: report(progress.steps))
    took = time.monotonic() - start
    return evaluate_run(folder, run.worlds, seed=HELD_OUT_SEED).returns, run.steps / took


def our_config(seed: int, steps: int) -> TrainConfig:
    """Return the run's configuration: a trial at a time, so that descents follow soon."""
    where = {"robot": ROBOT, "task": TASK, "seed": seed, "steps": steps}
    return configure("sac", {**SETTINGS, **where, "trials": 1, "robots": 1, "workers": 0})


def peers(run: Run, report: Report) -> tuple[np.ndarray, float]:
    """Train the peer; return the same of it."""
    from stable_baselines3 import SAC  # an extra of development: without it, the rest can still be tested

    method, hidden = SETTINGS["method"], SETTINGS["policy"]["hidden"]
    with closing(RobotEnv(ROBOT, task=TASK)) as env:
        learner = SAC(
            "MlpPolicy",
            env,
            learning_rate=method["lr"],
            gamma=method["gamma"],
            tau=method["tau"],
            batch_size=method["batch"],
            learning_starts=method["warm_up"],
            ent_coef=f"auto_{method['temperature']}",
            policy_kwargs={"net_arch": hidden, "activation_fn": torch.nn.ReLU},
            seed=run.seed,
            device="cpu",
        )
        start = time.monotonic()
        learner.learn(run.steps, callback=_telling(report))
        took = time.monotonic() - start
    return played(lambda obs: learner.predict(obs, deterministic=True)[0], run.worlds), run.steps / took


def _telling(report: Report) -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    """Return what the peer calls at every step, and goes on after."""

    def tell(scope: dict[str, Any], _: dict[str, Any]) -> bool:
        report(scope["self"].num_timesteps)
        return True

    return tell


LEARN = {"ours": ours, "sb3": peers}


def played(policy: Callable[[np.ndarray], np.ndarray], worlds: int) -> np.ndarray:
    """Return what a policy of observations earns in each held-out world `[worlds]`, a trial each."""
    found = np.zeros(worlds)
    with closing(RobotEnv(ROBOT, task=TASK, stream=HELD_OUT)) as env:
        for world in range(worlds):
            for episode in range(EPISODES):
                where = {"world": world, "episode": episode}
                obs, over = env.reset(seed=HELD_OUT_SEED, options=where)[0], False
                while not over:
                    obs, reward, terminated, truncated, _ = env.step(policy(obs))
                    found[world] += reward
                    over = terminated or truncated
    return found


def bars(found: dict[str, np.ndarray], rates: dict[str, list[float]]) -> list[Row]:
    """Return rows for returns `[seeds, worlds]` and descents a second `[seeds]` of both."""
    unit = f"return of a trial of {EPISODES} episodes"
    earned = {who: seeds_by_tasks_ci95(returns) for who, returns in found.items()}
    peer = float(found["sb3"].mean())
    ratio = mean_ci95(np.array(rates["ours"]) / np.array(rates["sb3"]))
    return [
        measured(f"{ROBOT}/sb3", earned["sb3"], unit),
        at_least(f"{ROBOT}/ours", earned["ours"], unit, SHARE * peer),
        measured(f"{ROBOT}/rate_ratio", ratio, "descents a second, ours of the peer's, physics included"),
    ]


def main() -> None:
    """Train both with every seed, in turns, and write `benchmarks/results/sac_beside_sb3.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=40_000, help="control steps of each run, and its descents")
    parser.add_argument("--worlds", type=int, default=100, help="held-out worlds")
    parser.add_argument("--to", type=Path, default=Path("runs/sac_beside_sb3"), help="where our runs are kept")
    given = parser.parse_args()
    start, console = time.monotonic(), Console()
    found: dict[str, list[np.ndarray]] = {"ours": [], "sb3": []}
    rates: dict[str, list[float]] = {"ours": [], "sb3": []}
    for seed in given.seeds:
        for who, learn in LEARN.items():
            with bar(f"{who}, seed {seed}", given.steps, console) as report:
                returns, rate = learn(Run(seed, given.steps, given.worlds, given.to), report)
            found[who].append(returns)
            rates[who].append(rate)
    rows = bars({who: np.stack(returns) for who, returns in found.items()}, rates)
    print(*rows, sep="\n")
    command = f"python -m benchmarks.sac_beside_sb3 --steps {given.steps} --worlds {given.worlds}"
    print(write_result("sac_beside_sb3", command, given.seeds, time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
