"""Commands about logs of real robots: what is wrong with them, and what they can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk.commands.screen import Json, out, say, show, table

if TYPE_CHECKING:
    from robots.logbook.inspect import Inspection

app = typer.Typer()
logs = typer.Typer(help="Logs of real robots.", no_args_is_help=True)
app.add_typer(logs, name="logs")

Columns = Annotated[
    Path | None, typer.Option(help="YAML that maps the log's columns to joints; default: the published names.")
]


@logs.command("inspect")
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Logs: .csv, .npz, .mcap.", show_default=False)],
    robot: Annotated[str | None, typer.Option(help="Robot whose joints and limits they are held against.")] = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Examine logs: clock, gaps, units, order; delay, noise, what they can tell; status 1 when one is refused."""
    from robots.logbook.inspect import columns_for, inspect_file
    from robots.spec import load_robot

    mapped, machine = columns_for(None if robot is None else load_robot(robot)[0], columns)
    found = [(file, inspection) for file in files for inspection in inspect_file(file, mapped, machine)]
    facts = [{"file": str(file), **inspection.plain()} for file, inspection in found]
    show(facts, as_json, lambda: _print(found))
    if not all(inspection.sound for _, inspection in found):
        raise typer.Exit(1)


def _print(found: list[tuple[Path, Inspection]]) -> None:
    for file, inspection in found:
        out.print(f"{'✔' if inspection.sound else '✘'} {inspection.run}", style="green" if inspection.sound else "red")
        for finding in inspection.findings:
            say(f"  {finding.verdict}, {finding.check}: {file.name}, {finding.sentence}")
        for sentence in inspection.sentences:
            say(f"  {sentence}")
    rows = [_row(inspection) for _, inspection in found if inspection.sound]
    if rows:
        table("sound runs: periods and delays [ms], noise [rad, rad/s]", rows)


def _row(inspection: Inspection) -> dict[str, Any]:
    facts = inspection.facts
    late = {name: 1e3 * lag for name, lag in facts["delay"].items()}
    row = {"run": inspection.run, "seconds": facts["seconds"], "period": 1e3 * facts["period"], "delay": late}
    return {**row, "pos noise": facts["pos_noise"], "vel noise": facts["vel_noise"]}
