"""How well a bundle's monitor tells worlds outside of training from those inside, and what falling back does.

    python -m benchmarks.ood_guard [--run cartpole=runs/ood_guard/cartpole …] [--worlds N]

For each robot a short RL² run is trained (or taken from --run), exported with its monitor, and driven by the runtime
through worlds that neither has seen. A world counts as detected when the monitor left "ok" at any time in it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.runtime.monitor import open_monitor
from export.runtime.policy import Policy
from robots.drivers.base import Reading
from robots.effects import effect_named
from robots.robot_env import RobotEnv
from sdk.config import resolve_config
from sdk.monitor import monitor_run
from sdk.results import Row, at_least, at_most, measured, write_result
from sdk.ship import export_run
from sdk.statistics import mean_ci95
from sdk.train import train

FOLDER, STREAM, SEED = Path("runs/ood_guard"), "held_out", 7
STEPS = 600_000
OUTSIDE: dict[str, dict[str, dict[str, float]]] = {
    "servo_arm": {
        "payload x5": {"payload_mass": 6.0},
        "gain 0.05": {"motor_gain": 0.05},
        "delay x3": {"motor_delay": 0.12},
    },
    "cartpole": {
        "pole x5": {"pole_mass": 2.5},
        "gain 0.1": {"motor_gain": 0.1},
        "rail friction x5": {"rail_friction": 5.0},
    },
}
"""Contexts well outside training, one quantity each; everything else is drawn as in training."""

UNSEEN: dict[str, dict[str, dict[str, float]]] = {
    "servo_arm": {},
    "cartpole": {"delay x4": {"motor_delay": 0.08}},
}
"""Contexts as far outside that hardly change the motion, so that there is nothing to see: no bar. The commands of so
short a run swing the cart no faster than its pole swings, and act almost as before when they act four periods later."""

UNMODELLED = {"servo_arm": ("cable", "cogging"), "cartpole": ()}
"""Effects that no quantity describes; small ones may be harmless, so these have no bar."""


@dataclass(frozen=True)
class Trial:
    """One world: its return, episodes played and alarmed in, the step of the first alarm and of the first stop."""

    reward: float
    episodes: int
    alarmed: int
    first: int | None
    stop: int | None


def play(env: RobotEnv, policy: Policy, world: int, params: dict[str, float], heed: bool) -> Trial:
    """Play one trial with the runtime's policy and monitor; `heed` lets alarms blank the memory.

    The world is played to its end also where the robot would have been stopped, so that returns can be compared.
    """
    monitor = open_monitor(policy)
    assert monitor is not None
    obs, _ = env.reset(seed=SEED, options={"world": world, "params": params})
    policy.start_trial()
    reward, episode, alarmed, first, stop, start = 0.0, 0, set(), None, None, True
    for step in range(env.spec_of_robot.task.episodes * env.horizon):
        signals = {name: obs[part].tolist() for name, part in env.contract.signal_slices.items()}
        command = policy.step(signals, episode_start=start)
        held = {name: value.copy() for name, value in policy.memory.items()}
        verdict = monitor.judge(Reading(step, step * env.contract.control_dt, signals), command)
        if verdict.action != "ok":
            alarmed.add(episode)
            first = step if first is None else first
            stop = step if stop is None and verdict.action == "stop" else stop
            policy.forget()
        if not heed:
            policy.recall(held)
        obs, gained, terminated, truncated, _ = env.step_command([command[name] for name in env.contract.joint_names])
        policy.sent(dict(zip(env.contract.joint_names, env.robot.limiter.last, strict=True)))
        reward, start = reward + gained, terminated or truncated
        if start:
            episode += 1
            obs = env.begin_episode(episode)
    return Trial(reward, episode, len(alarmed), first, stop)


def play_all(
    robot: str, policy: Policy, worlds: int, params: dict[str, float], *, effect: str = "none", heed: bool = False
) -> list[Trial]:
    """Play worlds 0, 1, … of one kind."""
    env = RobotEnv(robot, stream=STREAM, effect=effect_named(effect))
    try:
        return [play(env, policy, world, params, heed) for world in range(worlds)]
    finally:
        env.close()


def rows_of(robot: str, bundle: Path, worlds: int) -> list[Row]:
    """Measure one robot's bundle."""
    policy = Policy.load(bundle)
    spec = policy.manifest.monitor
    assert spec is not None
    inside = play_all(robot, policy, 4 * worlds, {}, heed=True)
    episodes = sum(trial.episodes for trial in inside)
    share = sum(trial.alarmed for trial in inside) / episodes
    calibrated = {"calibrated": spec.false_alarms, "episodes": episodes}
    rows = [
        at_most(f"{robot}/false_alarms", share, "share of episodes inside training", 0.01, **calibrated),
        measured(f"{robot}/inside/return", mean_ci95(np.array([t.reward for t in inside])), "return of a trial"),
    ]
    for name, params in OUTSIDE[robot].items():
        rows += _outside(f"{robot}/{name}", policy, robot, worlds, params)
    for name, params in UNSEEN[robot].items():
        rows += _outside(f"{robot}/{name}", policy, robot, worlds, params, barred=False)
    for effect in UNMODELLED[robot]:
        seen = _seen(play_all(robot, policy, worlds, {}, effect=effect))
        rows.append(measured(f"{robot}/{effect}/detected", seen, "share of worlds"))
    return rows


def _outside(
    name: str, policy: Policy, robot: str, worlds: int, params: dict[str, float], barred: bool = True
) -> list[Row]:
    """Play worlds outside of training, once without heeding the monitor and once with."""
    without = play_all(robot, policy, worlds, params)
    heeded = play_all(robot, policy, worlds, params, heed=True)
    dt = policy.contract.control_dt
    first = [trial.first * dt for trial in without if trial.first is not None]
    stopped, unit = float(np.mean([trial.stop is not None for trial in heeded])), "share of worlds"
    seen = _seen(without)
    return [
        at_least(f"{name}/detected", seen, unit, 0.9 if barred else None, stopped=stopped),
        measured(f"{name}/first_alarm", float(np.median(first)) if first else -1.0, "s after the start, median"),
        measured(f"{name}/return/without_guard", mean_ci95(np.array([t.reward for t in without])), "return of a trial"),
        measured(f"{name}/return/falling_back", mean_ci95(np.array([t.reward for t in heeded])), "return of a trial"),
    ]


def _seen(trials: list[Trial]) -> float:
    return float(np.mean([trial.alarmed > 0 for trial in trials]))


def bundle_of(robot: str, run: Path | None) -> Path:
    """Return a bundle with a monitor, training and exporting what is not there yet."""
    folder = run or FOLDER / robot
    if run is None and not (folder / "checkpoint.pt").is_file():
        train(resolve_config("rl2", None, [f"robot={robot}", f"steps={STEPS}"]), folder)
    bundle = FOLDER / f"{robot}_bundle"
    export_run(folder, bundle, worlds=16, overwrite=True)
    monitor_run(folder, bundle)
    return bundle


def main() -> None:
    """Measure and write `benchmarks/results/ood_guard.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="append", default=[], help="ROBOT=FOLDER of a trained run")
    parser.add_argument("--worlds", type=int, default=25, help="of each kind outside; four times as many inside")
    given = parser.parse_args()
    runs = {robot: Path(folder) for robot, _, folder in (text.partition("=") for text in given.run)}
    start = time.monotonic()
    rows = []
    for robot in OUTSIDE:
        rows += rows_of(robot, bundle_of(robot, runs.get(robot)), given.worlds)
        print(*rows[-20:], sep="\n", flush=True)
    print(write_result("ood_guard", "python -m benchmarks.ood_guard", [0], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
