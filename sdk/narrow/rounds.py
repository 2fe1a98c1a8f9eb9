"""Narrowing in rounds, as EPOpt does (Rajeswaran et al. 2017, algorithm 1 and section 3.3).

    for each visit that the budget of target episodes allows:
        train on the worst of the worlds as they are now, going on with the last policy     `_trained`
        export, and let the bundle adapt on the target machine, which is recorded           `_visited`
        narrow the prior by all recordings so far: the worlds of the next round             `_narrowed`

The target is a twin: a process of its own with hidden parameters. Every stage leaves a file and is not done twice, so
that a loop may be stopped and started again. The prior is the robot's own in every round: its support is never left.
A posterior that foretells the recordings' other parts no better than the prior's middle, or than no motion, is not
believed: the next round trains in the robot's own worlds.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from sdk.checkpoint import write_atomic
from sdk.config import resolve_config
from sdk.identify.files import task_of, write
from sdk.identify.run import identify
from sdk.narrow.picture import draw
from sdk.narrow.settings import NarrowSettings, keep
from sdk.progress import stages_bar
from sdk.ship import export_run
from sdk.suite.training import Job, train_side_by_side
from sdk.through_twin import HeldOut, drive

SUMMARY, PICTURE = "summary.json", "narrow.png"
RECORDING, VISIT, BUNDLE, POSTERIOR = "visit.npz", "visit.json", "bundle.zip", "posterior.json"


def narrow(settings: NarrowSettings, folder: Path, console: Console) -> dict[str, Any]:
    """Run the loop, or what of it is still to do, and return what each round did; writes a summary and a picture.

    Raises `ConfigError` for a budget below one trial, and for a folder that holds a loop with other settings.
    """
    visits = settings.visits
    keep(settings, folder, "loop")
    rounds = []
    for number in range(1, visits + 1):
        rounds.append(_round(number, settings, folder, console, last=number == visits))
    summary = {"robot": settings.robot, "algo": settings.algo, "visits": visits, "rounds": rounds}
    summary["episodes"] = sum(one["episodes"] for one in rounds)
    write_atomic(folder / SUMMARY, json.dumps(summary, indent=2).encode())
    draw(folder / PICTURE, summary)
    return {**summary, "bundle": str(_of(folder, visits) / BUNDLE), "picture": str(folder / PICTURE)}


def _of(folder: Path, number: int) -> Path:
    return folder / f"round_{number}"


def _round(number: int, settings: NarrowSettings, folder: Path, console: Console, last: bool) -> dict[str, Any]:
    here = _of(folder, number)
    here.mkdir(exist_ok=True)
    start = time.monotonic()
    worlds = settings.robot if number == 1 else _posterior_of(_of(folder, number - 1))["worlds"]
    _trained(number, settings, here, worlds, console)
    visit = _visited(settings, here, console)
    facts = {"round": number, "worlds": worlds, **visit, "seconds": round(time.monotonic() - start, 1)}
    return facts if last else {**facts, **_narrowed(number, settings, folder, console)}


def _trained(number: int, settings: NarrowSettings, here: Path, worlds: str, console: Console) -> None:
    before = None if number == 1 else str(here.parent / f"round_{number - 1}" / "run")
    config = resolve_config(settings.algo, None, settings.overrides(number, worlds, before))
    train_side_by_side({f"round {number}": Job(config, here / "run")}, console)


def _visited(settings: NarrowSettings, here: Path, console: Console) -> dict[str, Any]:
    """What the machine's own score of the visit is; the visit is paid for once."""
    done = here / VISIT
    if done.is_file():
        return dict(json.loads(done.read_text(encoding="utf-8")))
    with console.status(f"{here.name}: exporting, verifying in closed loop"):
        export_run(here / "run", here / BUNDLE, worlds=settings.export_worlds, overwrite=True)
    with console.status(f"{here.name}: adapting on the machine"):
        pace = "realtime" if settings.realtime else "lockstep"
        where = HeldOut(settings.robot, 1, settings.target_seed, settings.effect, settings.task, pace=pace)
        driven = drive(here / BUNDLE, where, here / RECORDING)
    (world,) = driven.worlds
    facts = {"return": world["return"], "per_episode": world["per_episode"], "episodes": len(world["per_episode"])}
    facts |= {"missed": driven.missed, "truth": world["params"]}
    write_atomic(done, json.dumps(facts).encode())
    return facts


def _narrowed(number: int, settings: NarrowSettings, folder: Path, console: Console) -> dict[str, Any]:
    """Narrow the robot's own prior by every recording so far, if that can be believed."""
    here = _of(folder, number)
    if not (here / POSTERIOR).is_file():
        logs = [_of(folder, past) / RECORDING for past in range(1, number + 1)]
        with stages_bar(f"{here.name}: identify", console) as report:
            found = identify(task_of(settings.robot, logs), settings.identify, report)
        facts = write(found, settings.robot, here / "posterior.yaml", here / "worlds")
        worlds = facts["robot_folder"] if believed(facts["validation"]) else settings.robot
        write_atomic(here / POSTERIOR, json.dumps({**facts, "worlds": worlds}).encode())
    kept = _posterior_of(here)
    if kept["worlds"] == settings.robot:
        console.print(
            f"{here.name}: the posterior foretells no better than the prior's middle or no motion at all, and is not "
            "believed; more episodes, or identify.segments and identify.particles, may help"
        )
    return {name: kept[name] for name in ("parameters", "validation")} | {"believed": kept["worlds"] != settings.robot}


def believed(validation: dict[str, Any]) -> bool:
    """Return whether a posterior foretells what it did not learn from better than knowing nothing does, all joints."""
    knowing_nothing = zip(validation["nominal"], validation["no_motion"], strict=True)
    return all(ours < min(both) for ours, both in zip(validation["rmse"], knowing_nothing, strict=True))


def _posterior_of(here: Path) -> dict[str, Any]:
    return dict(json.loads((here / POSTERIOR).read_text(encoding="utf-8")))
