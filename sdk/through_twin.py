"""Drive a bundle against a twin, each in a process of its own, over UDP; the twin alone keeps the score."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robots.model import Engine
from sdk.evaluate import Evaluation

SIMSHIFT = (sys.executable, "-m", "sdk.cli")


class TwinError(RuntimeError):
    """The twin, or the process that drives it, failed; the message carries the end of what it said."""


@dataclass(frozen=True)
class HeldOut:
    """Which worlds the twin plays, in which engine, and the YAML file of what goes wrong there, if anything does.

    `pace` is lockstep or realtime; none: as `drive` chooses.
    """

    robot: str
    worlds: int
    seed: int
    effect: str = "none"
    task: str | None = None
    faults: Path | None = None
    engine: Engine | None = None
    pace: str | None = None

    def arguments(self) -> list[str]:
        """Return them as `simshift twin` takes them."""
        task = [] if self.task is None else ["--task", self.task]
        faults = [] if self.faults is None else ["--faults", str(self.faults)]
        engine = [] if self.engine is None else ["--engine", self.engine]
        worlds = ["--worlds", str(self.worlds), "--seed", str(self.seed)]
        return [self.robot, *worlds, "--effect", self.effect, *task, *engine, *faults]


@dataclass(frozen=True)
class Driven:
    """What came of it: the returns, the driving process's report, and the twin's on each world.

    `missed` counts the control periods in which no command reached the twin.
    """

    evaluation: Evaluation
    report: dict[str, Any]
    worlds: list[dict[str, Any]]
    missed: int


def drive(bundle: Path, where: HeldOut, recording: Path | None = None, simshift: Sequence[str] = SIMSHIFT) -> Driven:
    """Drive a bundle through the twin's worlds, one trial each; `simshift` is the command that drives.

    Unless `where` says: without a `recording` in lockstep, as fast as both can; with one in real time.
    Raises `TwinError`.
    """
    pace = where.pace or ("realtime" if recording else "lockstep")
    with _Twin([*where.arguments(), "--pace", pace]) as twin:
        record = ["--record", str(recording)] if recording else []
        command = [*simshift, "run", str(bundle), "--robot", twin.url, "--json", *record]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise TwinError(f"driving {bundle.name} failed:\n{finished.stderr[-2000:]}{finished.stdout[-500:]}")
        score = twin.score()
    worlds = score["worlds"]
    return Driven(scored(worlds), json.loads(finished.stdout), worlds, score["missed_commands"])


def scored(worlds: Sequence[Mapping[str, Any]]) -> Evaluation:
    """Return the twin's report on each world as one evaluation; all are cut to the shortest."""
    shown = min(len(world["per_episode"]) for world in worlds)
    per_episode = np.array([world["per_episode"][:shown] for world in worlds])
    success = np.array([np.mean(world["success"][:shown]) for world in worlds])
    reached = np.array([world["reached"][:shown] for world in worlds], float)
    slots = min(len(world["per_slot"]) for world in worlds)
    per_slot = np.array([world["per_slot"][:slots] for world in worlds])
    total = np.array([world["return"] for world in worlds])
    return Evaluation(total, per_episode, success, reached=reached, per_slot=per_slot)


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
        raise TwinError("the twin did not start:\n" + "".join(self._said[-8:]))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(self._process.stderr)

    def score(self) -> dict[str, Any]:
        """Wait for the twin to finish and return its report."""
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        if self._process.wait() != 0:
            raise TwinError("the twin failed:\n" + "".join(self._said[-8:]))
        report: dict[str, Any] = json.loads(text)
        return report

    def __enter__(self) -> _Twin:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
