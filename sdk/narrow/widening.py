"""Widening in rounds: automatic domain randomisation that asks how well a policy does once it has adapted.

Akkaya et al. 2019, "Solving Rubik's cube with a robot hand", https://arxiv.org/abs/1910.07113, algorithm 1

    begin with worlds at nominal                                                    `domain_rand.curriculum.start`
    for each round:
        train in the ranges as they are, going on with the last policy              `widen`
        for each end of each range: play worlds that lie on it                      `on_boundary`
            widen the range where the return after adaptation is high enough,
            narrow it where it is too low                                           `judged`

Deviations: boundaries are probed between rounds of training, all of them, and not within it. A policy with memory is
judged by the last episode of each trial alone: what it costs to find out is not held against it, only what it comes to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from rich.console import Console

from domain_rand.curriculum import Adr, AdrSettings, Boundary, Range, Ranges, entropy, start
from domain_rand.distributions import Choice
from domain_rand.randomizer import Randomization
from domain_rand.ranks import between
from domain_rand.schema import Schema
from robots.simulated import SimulatedRobot
from robots.spec import load_robot
from sdk.checkpoint import write_atomic
from sdk.config import resolve_config
from sdk.evaluate import evaluate_run
from sdk.identify.files import narrowed_robot
from sdk.narrow.settings import keep
from sdk.suite.training import Job, train_side_by_side

Play = Callable[[Boundary, Randomization], Sequence[float]]
"""From worlds that lie on a boundary to what each comes to after adaptation."""

STATE, SUMMARY = "ranges.json", "summary.json"


class WidenSettings(Schema):
    """What a widening curriculum is asked for; thresholds are in returns of a trial's last episode."""

    robot: str = "servo_arm"
    task: str | None = None
    algo: str = "rl2"
    rounds: int = Field(default=10, ge=1)
    low: float = Field(description="return of the last episode up to which a range narrows")
    high: float = Field(description="return of the last episode from which a range widens")
    step: float = Field(default=0.1, gt=0, le=1, description="by how much of a parameter's full range")
    worlds: int = Field(default=20, ge=2, description="worlds played on each boundary")
    train: tuple[str, ...] = Field(default=(), description="overrides of every training")
    seed: int = Field(default=0, ge=0)

    @property
    def adr(self) -> AdrSettings:
        """The curriculum's own settings: a boundary is judged once all its worlds are played."""
        return AdrSettings(threshold_low=self.low, threshold_high=self.high, queue=self.worlds, step=self.step)


def ranged(randomization: Randomization, ranges: Ranges) -> Randomization:
    """Return the worlds within the ranges; what has none stays as it is."""
    entries = dict(randomization.parameters)
    for name, held in ranges.ranges.items():
        entries[name] = entries[name].model_copy(update={"draw": between(entries[name].draw, held.low, held.high)})
    return randomization.model_copy(update={"parameters": entries})


def on_boundary(randomization: Randomization, ranges: Ranges, boundary: Boundary) -> Randomization:
    """Return the worlds within the ranges in which one parameter lies on its boundary."""
    place = getattr(ranges.ranges[boundary.name], boundary.side)
    within = ranged(randomization, ranges)
    value = randomization.parameters[boundary.name].draw.quantile(place)
    entry = within.parameters[boundary.name].model_copy(update={"draw": Choice(values=(value,))})
    return within.model_copy(update={"parameters": within.parameters | {boundary.name: entry}})


def judged(adr: Adr, play: Play) -> Adr:
    """Return the curriculum after every boundary has been played once, all in the ranges as they were."""
    before = adr
    for name in sorted(before.state.ranges):
        for side in ("low", "high"):
            boundary = Boundary(name, side)  # type: ignore[arg-type]
            for performance in play(boundary, on_boundary(before.randomization, before.state, boundary)):
                adr = adr.recorded(boundary, performance)
    return adr


def widen(settings: WidenSettings, folder: Path, console: Console) -> dict[str, Any]:
    """Run the curriculum, or what of it is still to do, and return its ranges after each round.

    Raises `ConfigError` for a folder that holds a curriculum with other settings.
    """
    adr = _begun(settings, folder)
    rounds = []
    for number in range(1, settings.rounds + 1):
        here = folder / f"round_{number}"
        here.mkdir(exist_ok=True)
        worlds = _worlds(settings.robot, ranged(adr.randomization, adr.state), here / "worlds")
        before = [] if number == 1 else [f"start_from={folder / f'round_{number - 1}' / 'run'}"]
        fixed = [f"robot={worlds}", f"seed={settings.seed}", *([f"task={settings.task}"] if settings.task else [])]
        config = resolve_config(settings.algo, None, [*fixed, *settings.train, *before])
        train_side_by_side({f"round {number}": Job(config, here / "run")}, console)
        adr = Adr(adr.randomization, adr.settings, _ranges(adr, settings, here, console))
        rounds.append({"round": number, "entropy": entropy(adr.state), "ranges": _ends(adr)})
    summary = {"robot": settings.robot, "algo": settings.algo, "rounds": rounds}
    write_atomic(folder / SUMMARY, json.dumps(summary, indent=2).encode())
    return summary


def _begun(settings: WidenSettings, folder: Path) -> Adr:
    keep(settings, folder, "curriculum")
    spec, own = load_robot(settings.robot, settings.task)
    with closing(SimulatedRobot(spec)) as robot:
        bound = own.bind(robot)
        return Adr(bound, settings.adr, start(bound, robot))


def _ranges(adr: Adr, settings: WidenSettings, here: Path, console: Console) -> Ranges:
    """Judge a round's policy on every boundary, once."""
    kept = here / STATE
    if kept.is_file():
        return Ranges.parse(json.loads(kept.read_text(encoding="utf-8")))

    def play(boundary: Boundary, worlds: Randomization) -> Sequence[float]:
        robot = _worlds(settings.robot, worlds, here / "probes" / f"{boundary.name.replace('/', '_')}_{boundary.side}")
        played = evaluate_run(here / "run", settings.worlds, seed=settings.seed, robot=str(robot))
        return after_adaptation(played.per_episode)

    with console.status(f"{here.name}: playing {2 * len(adr.state.ranges)} boundaries"):
        state = judged(adr, play).state
    write_atomic(kept, json.dumps(state.plain()).encode())
    return state


def after_adaptation(per_episode: np.ndarray) -> list[float]:
    """Return what each trial came to, of returns by episode `[worlds, episodes]`: that of its last."""
    return per_episode[:, -1].tolist()


def _worlds(robot: str, randomization: Randomization, folder: Path) -> Path:
    """Return the copy of a robot's folder with these worlds, made where it is not there yet."""
    found = next(iter(folder.iterdir()), None) if folder.is_dir() else None
    return found or narrowed_robot(robot, randomization, folder)


def _ends(adr: Adr) -> dict[str, list[float]]:
    def ends(name: str, held: Range) -> list[float]:
        return [adr.randomization.parameters[name].draw.quantile(place) for place in (held.low, held.high)]

    return {name: ends(name, held) for name, held in adr.state.ranges.items()}
