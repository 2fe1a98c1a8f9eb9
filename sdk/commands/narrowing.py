"""The command that goes back and forth between simulation and one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdk.commands.screen import Json, err, say, show, table

app = typer.Typer()

Config = Annotated[Path | None, typer.Option(help="YAML file of settings; the other options go over it.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one setting: identify.method=npe. Repeatable.")]


@app.command()
def narrow(
    robot: Annotated[str | None, typer.Argument(help="Robot: its name, or a path such as ./my_robot.")] = None,
    algo: Annotated[str | None, typer.Option(help="Algorithm; see 'simshift list algorithms'.")] = None,
    to: Annotated[Path, typer.Option("--to", "-o", help="Folder of the loop; a stopped one goes on.")] = Path(
        "runs/narrow"
    ),
    episodes: Annotated[int | None, typer.Option(help="Budget: episodes on the target machine in all.")] = None,
    worst: Annotated[float | None, typer.Option(help="Learn from this share of trials, the worst (EPOpt).")] = None,
    config: Config = None,
    set_: Set = None,
    seed: Annotated[int | None, typer.Option(help="Seed; everything random follows from it.")] = None,
    as_json: Json = False,
) -> None:
    """Train, run on the twin, narrow the worlds by its recordings, train again: until the budget is spent."""
    from domain_rand.schema import read_yaml
    from sdk.narrow.rounds import narrow as narrow_
    from sdk.narrow.settings import NarrowSettings

    given = {"robot": robot, "algo": algo, "episodes": episodes, "worst": worst, "seed": seed}
    data = (read_yaml(config) if config else {}) | {key: value for key, value in given.items() if value is not None}
    settings = NarrowSettings.overridden(data, set_ or [], str(config or "narrow"))
    facts = narrow_(settings, to, err)
    show(facts, as_json, lambda: _print(facts))


@app.command()
def widen(
    robot: Annotated[str | None, typer.Argument(help="Robot: its name, or a path such as ./my_robot.")] = None,
    algo: Annotated[str | None, typer.Option(help="Algorithm; see 'simshift list algorithms'.")] = None,
    to: Annotated[Path, typer.Option("--to", "-o", help="Folder of the curriculum; a stopped one goes on.")] = Path(
        "runs/widen"
    ),
    low: Annotated[float | None, typer.Option(help="Return of the last episode up to which a range narrows.")] = None,
    high: Annotated[float | None, typer.Option(help="Return of the last episode from which a range widens.")] = None,
    config: Config = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Train from nominal worlds outwards, as far as the policy still copes once it has adapted."""
    from domain_rand.schema import read_yaml
    from sdk.narrow.widening import WidenSettings
    from sdk.narrow.widening import widen as widen_

    given = {"robot": robot, "algo": algo, "low": low, "high": high}
    data = (read_yaml(config) if config else {}) | {key: value for key, value in given.items() if value is not None}
    settings = WidenSettings.overridden(data, set_ or [], str(config or "widen"))
    facts = widen_(settings, to, err)
    rows = [{"round": one["round"], "entropy": one["entropy"], **one["ranges"]} for one in facts["rounds"]]
    show(facts, as_json, lambda: table("ranges after each round", rows))


def _print(facts: dict[str, Any]) -> None:
    keys = ("round", "return", "per_episode", "episodes")
    table("visits to the machine", [{key: one[key] for key in keys} for one in facts["rounds"]])
    for one in facts["rounds"]:
        if "parameters" in one:
            columns = ("parameter", "unit", "mean", "sd", "low", "high", "prior")
            rows = [{key: row[key] for key in columns} for row in one["parameters"]]
            table(f"what was known after visit {one['round']}{'' if one['believed'] else ', not believed'}", rows)
    say(f"{facts['episodes']} episodes on the machine. Bundle: {facts['bundle']}, picture: {facts['picture']}")
