"""Commands about robots themselves: examine one, draft one, watch one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sdk.commands.screen import Json, Seed, err, out, say, show

if TYPE_CHECKING:
    from robots.doctor.report import Check, Diagnosis

app = typer.Typer()
new = typer.Typer(help="Write a new robot.", no_args_is_help=True)
app.add_typer(new, name="new")

Robot = Annotated[str, typer.Argument(help="Robot: its name, or a path such as ./my_robot.", show_default=False)]
Task = Annotated[str | None, typer.Option(help="Task; default: the robot's own.")]
SHOWN = 4
"""Findings of a check that are printed; --json has all."""


@app.command()
def doctor(robot: Robot, task: Task = None, as_json: Json = False) -> None:
    """Examine a robot's files and how it moves; status 1 when something is wrong."""
    diagnosis = _examine(robot, task)
    show(diagnosis.plain(), as_json, lambda: _print(diagnosis))
    if not diagnosis.healthy:
        raise typer.Exit(1)


@new.command("robot")
def new_robot(
    name: Annotated[str, typer.Argument(help="Name: lower case, digits, _.", show_default=False)],
    urdf: Annotated[Path, typer.Option(help="The robot's URDF.", show_default=False)],
    to: Annotated[Path, typer.Option(help="Where the robot's folder goes.")] = Path("."),
    base: Annotated[
        Literal["auto", "fixed", "free"],
        typer.Option(help="Whether the base is bolted down; auto: one chain of joints is."),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Draft a robot's folder from its URDF and examine it; status 1 when the doctor finds something wrong."""
    from robots.drafting.folder import new_robot as draft

    folder = draft(name, urdf, to, base)
    diagnosis = _examine(str(folder.resolve()), None)
    where = f"Robot: {folder}. Use it by its path, or by name with SIMSHIFT_ROBOTS={folder.resolve().parent}"
    show({"folder": str(folder), **diagnosis.plain()}, as_json, lambda: _print(diagnosis, where))
    if not diagnosis.healthy:
        raise typer.Exit(1)


@app.command()
def play(
    robot: Robot,
    run: Annotated[Path | None, typer.Option(help="Play a training run's policy.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Play an exported bundle.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Play at random; the default.")] = False,
    to: Annotated[Path, typer.Option("--to", "-o", help="The picture, a .gif.")] = Path("play.gif"),
    seconds: Annotated[float, typer.Option(min=0.1, max=120, help="How long the robot is watched, in s.")] = 6.0,
    task: Annotated[str | None, typer.Option(help="Task; default: that of --run, or the robot's own.")] = None,
    seed: Seed = 0,
    width: Annotated[
        int, typer.Option(min=64, max=1280, help="Width of the picture; its height is 3/4 of that.")
    ] = 360,
    as_json: Json = False,
) -> None:
    """Film a robot without a screen: a GIF with its command, its state and its return."""
    from sdk.play import bundle_player, film, frame_count, random_player, run_player, task_of_run
    from sdk.progress import bar

    if sum((run is not None, bundle is not None, random)) > 1:
        raise typer.BadParameter("choose one of --run, --bundle and --random")
    if run is not None and task is None:
        task = task_of_run(run)
    player = run_player(run) if run else bundle_player(bundle) if bundle else random_player(seed)
    with bar(f"filming {robot}", frame_count(robot, task, seconds), err) as report:
        facts = film(robot, player, to, seconds=seconds, task=task, seed=seed, width=width, report=report)
    show(facts, as_json, lambda: say(f"Film: {to}, {facts['frames']} pictures, return {facts['return']:.3g}"))


def _examine(robot: str, task: str | None) -> Diagnosis:
    from robots.doctor.examine import CHECKS, examine
    from sdk.progress import bar

    with bar(f"examining {Path(robot).name}", len(CHECKS), err) as report:
        return examine(robot, task, report)


def _print(diagnosis: Diagnosis, *more: str) -> None:
    marks = {"ok": ("✔", "green"), "warning": ("!", "yellow"), "wrong": ("✘", "red"), "skipped": ("–", "dim")}
    for check in diagnosis.checks:
        mark, style = marks[check.verdict]
        out.print(f"{mark} {check.name:14}", style=style, end="")
        out.print(check.note, highlight=False)
        _print_findings(check)
    verdict = f"{diagnosis.robot} is {'healthy' if diagnosis.healthy else 'not healthy'}"
    for line in (verdict, *more):
        out.print(line, highlight=False, soft_wrap=True)


def _print_findings(check: Check) -> None:
    for finding in sorted(check.findings, key=lambda finding: not finding.wrong)[:SHOWN]:
        out.print(f"    {finding.where}: {finding.message}", highlight=False, soft_wrap=True)
        out.print(f"      → {finding.advice}", style="dim", highlight=False, soft_wrap=True)
    if len(check.findings) > SHOWN:
        out.print(f"    … and {len(check.findings) - SHOWN} more (--json shows all)", highlight=False)
