"""The main job, end to end, with every part in the process it would have in life.

Three arms train side by side; the deployable ones are exported; then a robot process without torch or simulator drives
each bundle against a twin process that has held-out hidden parameters and an effect no training ever saw. The twin
alone keeps the score. The oracle, which no robot can run, plays the same worlds in process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from robots.recordings.files import read_recording
from sdk.checkpoint import write_atomic
from sdk.config import resolve_config
from sdk.demo_picture import draw
from sdk.evaluate import Evaluation, evaluate_run
from sdk.ship import export_run
from sdk.statistics import gap_closed
from sdk.suite.training import Job, train_side_by_side
from sdk.through_twin import HeldOut, drive

ARMS = ("rl2", "robust", "oracle")
DEPLOYED = ("rl2", "robust")
ROBOT, EFFECT = "servo_arm", "cable+cogging"
LIVE_TRIALS = 2


def run_demo(folder: Path, *, steps: int | None, worlds: int, seed: int, console: Console) -> dict[str, Any]:
    """Train, export, drive, compare; write `summary.json`, `demo.png`, the bundles and the runs into `folder`.

    Arms that are already trained to the end of the same configuration are used as they are.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    overrides = [f"robot={ROBOT}", f"seed={seed}"] + ([] if steps is None else [f"steps={steps}"])
    train_side_by_side({arm: Job(resolve_config(arm, None, overrides), folder / arm) for arm in ARMS}, console)
    trained = time.monotonic()
    parity = {}
    for arm in DEPLOYED:
        with console.status(f"exporting {arm}, verifying it in closed loop"):
            parity[arm] = _export(folder, arm, min(worlds, 50))
    with console.status(f"driving {worlds} held-out worlds over UDP"):
        held_out = HeldOut(ROBOT, worlds, seed, EFFECT)
        played = {arm: drive(folder / f"{arm}_bundle", held_out).evaluation for arm in DEPLOYED}
    with console.status("the oracle in the same worlds"):
        played["oracle"] = evaluate_run(folder / "oracle", worlds, seed=seed, effect=EFFECT)
    with console.status("live, at the control rate"):
        live = drive(folder / "rl2_bundle", HeldOut(ROBOT, LIVE_TRIALS, seed, EFFECT), folder / "live.npz")
    seconds = {"training": trained - start, "total": time.monotonic() - start}
    summary = {**summarize(played, live.report, max(parity.values())), "seconds": seconds}
    draw(folder / "demo.png", played, read_recording(folder / "live.npz"), live.worlds)
    write_atomic(folder / "summary.json", json.dumps(summary, indent=2).encode())
    return summary


def summarize(played: dict[str, Evaluation], live: dict[str, Any], parity: float) -> dict[str, Any]:
    """Return the demo's result: arms with intervals, gap closed, and what the robot's side measured of itself."""
    robust, adaptive, oracle = (played[arm] for arm in ("robust", "rl2", "oracle"))
    last = [e.per_episode[:, -1] for e in (robust, adaptive, oracle)]
    return {
        "arms": {arm: played[arm].plain() for arm in ("robust", "rl2", "oracle")},
        "worlds": len(oracle.returns),
        "effect": EFFECT,
        "gap_closed": gap_closed(robust.returns, adaptive.returns, oracle.returns).plain(),
        "gap_closed_last_episode": gap_closed(*last).plain(),
        "parity_max_abs_error": parity,
        "tick_us": {"p50": live["latency"]["p50_us"], "p99": live["latency"]["p99_us"]},
        "missed_deadlines": live["missed_deadlines"],
        "robot_side_modules": live["robot_side_modules"],
    }


def _export(folder: Path, arm: str, worlds: int) -> float:
    manifest = export_run(folder / arm, folder / f"{arm}_bundle", worlds=worlds, overwrite=True)
    return manifest.parity.max_abs_error
