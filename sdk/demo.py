"""The main job, end to end, with every part in the process it would have in life.

Three arms train side by side; the deployable ones are exported; then a robot process without torch or simulator drives
each bundle against a twin process that has held-out hidden parameters and an effect no training ever saw. The twin
alone keeps the score. The oracle, which no robot can run, plays the same worlds in process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID

from robots.recordings.files import read_recording
from sdk.checkpoint import RunFolder, write_atomic
from sdk.config import TrainConfig, resolve_config
from sdk.demo_picture import draw
from sdk.evaluate import Evaluation, evaluate_run
from sdk.progress import columns
from sdk.ship import export_run
from sdk.statistics import gap_closed
from sdk.train import world_shape

ARMS = ("rl2", "robust", "oracle")
DEPLOYED = ("rl2", "robust")
EFFECT = "cable+cogging"
LIVE_TRIALS = 2
SIMSHIFT = (sys.executable, "-m", "sdk.cli")


class DemoError(RuntimeError):
    """A part of the demo failed; the message carries the end of its log."""


def run_demo(folder: Path, *, steps: int | None, worlds: int, seed: int, console: Console) -> dict[str, Any]:
    """Train, export, drive, compare; write `summary.json`, `demo.png`, the bundles and the runs into `folder`.

    Arms that are already trained to the end of the same configuration are used as they are.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    overrides = [f"seed={seed}"] + ([] if steps is None else [f"steps={steps}"])
    train_side_by_side({arm: resolve_config(arm, None, overrides) for arm in ARMS}, folder, console)
    trained = time.monotonic()
    parity = {}
    for arm in DEPLOYED:
        with console.status(f"exporting {arm}, verifying it in closed loop"):
            parity[arm] = _export(folder, arm, min(worlds, 50))
    with console.status(f"driving {worlds} held-out worlds over UDP"):
        played = {arm: _through_runtime(folder, arm, worlds, seed)[0] for arm in DEPLOYED}
    with console.status("the oracle in the same worlds"):
        played["oracle"] = evaluate_run(folder / "oracle", worlds, seed=seed, effect=EFFECT)
    with console.status("live, at the control rate"):
        _, live, score = _through_runtime(folder, "rl2", LIVE_TRIALS, seed, record=True)
    seconds = {"training": trained - start, "total": time.monotonic() - start}
    summary = {**summarize(played, live, max(parity.values())), "seconds": seconds}
    draw(folder / "demo.png", played, read_recording(folder / "live.npz"), score["worlds"])
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


def train_side_by_side(configs: dict[str, TrainConfig], folder: Path, console: Console) -> None:
    """Train all arms at once, each in processes of its own; raises `DemoError` with the log of one that fails."""
    running = {arm: _start_training(arm, config, folder) for arm, config in configs.items()}
    try:
        with Progress(*columns(), console=console) as progress:  # type: ignore[arg-type]
            bars = {arm: progress.add_task(arm, total=_total(config), note="") for arm, config in configs.items()}
            while any(process.poll() is None for process in running.values()):
                _advance(progress, bars, folder)
                _raise_if_failed(running, folder)
                time.sleep(0.5)
            _advance(progress, bars, folder)
        _raise_if_failed(running, folder)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _start_training(arm: str, config: TrainConfig, folder: Path) -> subprocess.Popen[bytes]:
    run = RunFolder(folder / arm)
    started = run.is_started
    if started and run.config() != config:
        raise DemoError(f"{run.path} was trained with other settings; remove it, or choose another folder with --to")
    settings = [f"--set=seed={config.seed}", f"--set=steps={config.steps}"]
    arguments = ["--resume"] if started else settings
    with (folder / f"{arm}.log").open("ab") as log:
        command = [*SIMSHIFT, "train", arm, "--to", str(run.path), "--json", *arguments]
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _total(config: TrainConfig) -> int:
    block = config.trials * world_shape(config).trial_steps
    return -(-config.steps // block) * block


def _advance(progress: Progress, bars: dict[str, TaskID], folder: Path) -> None:
    for arm, bar in bars.items():
        rows = RunFolder(folder / arm).metrics()
        if rows:
            progress.update(bar, completed=rows[-1]["steps"], note=f"return {rows[-1]['return']:.1f}")


def _raise_if_failed(running: dict[str, subprocess.Popen[bytes]], folder: Path) -> None:
    for arm, process in running.items():
        if process.poll() not in (None, 0):
            log = (folder / f"{arm}.log").read_text(errors="replace").strip().splitlines()
            raise DemoError(f"training {arm} failed:\n" + "\n".join(log[-8:]))


def _through_runtime(
    folder: Path, arm: str, worlds: int, seed: int, record: bool = False
) -> tuple[Evaluation, dict[str, Any], dict[str, Any]]:
    """Drive a bundle against a twin, two processes, over UDP; returns the scores, the run's and the twin's reports.

    Without `record` in lockstep, as fast as both can; with it in real time, recorded to `live.npz`.
    """
    pace = "realtime" if record else "lockstep"
    with _Twin(["--worlds", str(worlds), "--seed", str(seed), "--effect", EFFECT, "--pace", pace]) as twin:
        recording = ["--record", str(folder / "live.npz")] if record else []
        command = [*SIMSHIFT, "run", str(folder / f"{arm}_bundle"), "--robot", twin.url, "--json", *recording]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise DemoError(f"driving {arm} failed:\n{finished.stderr[-2000:]}{finished.stdout[-500:]}")
        score = twin.score()
    return _scored(score["worlds"]), json.loads(finished.stdout), score


def _export(folder: Path, arm: str, worlds: int) -> float:
    manifest = export_run(folder / arm, folder / f"{arm}_bundle", worlds=worlds, overwrite=True)
    return manifest.parity.max_abs_error


def _scored(worlds: list[dict[str, Any]]) -> Evaluation:
    shown = min(len(world["per_episode"]) for world in worlds)
    per_episode = np.array([world["per_episode"][:shown] for world in worlds])
    success = np.array([np.mean(world["success"][:shown]) for world in worlds])
    return Evaluation(np.array([world["return"] for world in worlds]), per_episode, success)


class _Twin:
    """A twin process, from its first word (where it listens) to its last (the score)."""

    def __init__(self, arguments: Sequence[str]) -> None:
        command = [*SIMSHIFT, "twin", "--json", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._said: list[str] = []
        self.url = self._wait_until_ready()
        threading.Thread(target=self._listen, daemon=True).start()

    def _wait_until_ready(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            with suppress(json.JSONDecodeError, KeyError):
                return str(json.loads(line)["ready"])
        raise DemoError("the twin did not start:\n" + "".join(self._said[-8:]))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(self._process.stderr)

    def score(self) -> dict[str, Any]:
        """Wait for the twin to finish and return its report."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        if self._process.wait() != 0:
            raise DemoError("the twin failed:\n" + "".join(self._said[-8:]))
        report: dict[str, Any] = json.loads(text)
        return report

    def __enter__(self) -> _Twin:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
