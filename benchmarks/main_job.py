"""The main job, measured: the demo's outcome, and how fast its parts are against what they are made of.

    python -m benchmarks.main_job [--demo runs/demo]

Speeds are ratios within this run: an environment step against the physics inside it, a control tick against an identity
graph.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.envs import speed
from export.bundle import read_bundle
from export.latency import measure
from sdk.config import resolve_config
from sdk.demo import run_demo
from sdk.results import Row, at_least, at_most, measured, write_result
from sdk.statistics import Estimate
from sdk.train import Progress, train


def training_speed() -> list[Row]:
    """Train each arm for a few iterations, collection and update included."""
    rows = []
    for arm in ("rl2", "robust", "oracle"):
        rates: list[Progress] = []
        with tempfile.TemporaryDirectory() as folder:
            train(resolve_config(arm, None, ["steps=190000"]), Path(folder) / arm, report=rates.append)
        rows.append(measured(f"training/{arm}", rates[-1].steps_per_second, "steps/s, one worker"))
    return rows


def tick_speed(bundle: Path) -> list[Row]:
    """Time the runtime's tick against an identity graph, back to back and at the control rate."""
    times = measure(read_bundle(bundle), ticks=5000, paced_ticks=500)
    rows = []
    for paced in (False, True):
        by_name = {t.name: t for t in times if t.paced == paced}
        floor = by_name.pop("identity")
        for name, t in by_name.items():
            label = f"tick/{name}/{'paced' if paced else 'back_to_back'}"
            rows.append(measured(f"{label}/p50", t.clean_p50, "µs", identity=floor.clean_p50))
            rows.append(measured(f"{label}/p99", t.clean_p99, "µs", identity=floor.clean_p99))
    return rows


def outcome(summary: dict[str, Any]) -> list[Row]:
    """Turn the demo's summary into rows, held against what the main job promises."""
    arms = summary["arms"]
    rows = [measured(f"arms/{name}", _estimate(arm), "return of a trial") for name, arm in arms.items()]
    for name, arm in arms.items():
        parts = zip(arm["per_episode"], arm["per_episode_ci95"], strict=True)
        rows += [
            measured(f"arms/{name}/episode_{k}", Estimate(mean, *ci95), "return of an episode")
            for k, (mean, ci95) in enumerate(parts, start=1)
        ]
    advantage = 1 - arms["robust"]["mean"] / arms["oracle"]["mean"]
    unwelcome = {"torch", "pybullet", "gymnasium", "onnx"} & set(summary["robot_side_modules"])
    return [
        *rows,
        at_least("oracle_over_robust", advantage, "share of the oracle's return", 0.25),
        at_least("gap_closed", _estimate(summary["gap_closed"]), "share", 0.70),
        at_least("gap_closed_last_episode", _estimate(summary["gap_closed_last_episode"]), "share", 0.85),
        at_least("worlds", summary["worlds"], "held-out worlds", 50),
        at_most("parity_max_abs_error", summary["parity_max_abs_error"], "of the action scale", 1e-5),
        at_most("robot_side_modules/unwelcome", len(unwelcome), "modules", 0),
        measured("live/tick_p50", summary["tick_us"]["p50"], "µs"),
        measured("live/tick_p99", summary["tick_us"]["p99"], "µs"),
        measured("live/missed_deadlines", summary["missed_deadlines"], "control periods"),
        measured("demo/training", summary["seconds"]["training"], "s, three arms on two cores"),
        at_most("demo/total", summary["seconds"]["total"], "s", 600),
    ]


def _estimate(data: dict[str, Any]) -> Estimate:
    return Estimate(data["mean"], *data["ci95"])


def main() -> None:
    """Run everything and write `benchmarks/results/main_job.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("runs/main_job"), help="where the demo goes")
    folder = parser.parse_args().demo
    start = time.monotonic()
    summary = run_demo(folder, steps=None, worlds=200, seed=0, console=Console(stderr=True))
    rows = [*outcome(summary), *speed("servo_arm"), *tick_speed(folder / "rl2_bundle"), *training_speed()]
    print(write_result("main_job", "python -m benchmarks.main_job", [0], time.monotonic() - start, rows))


if __name__ == "__main__":
    main()
