"""The command that turns logs of a real robot into the worlds it is trained in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sdk.commands.logs import Columns
from sdk.commands.screen import Json, Seed, err, say, show, table

app = typer.Typer()


Logs = Annotated[list[Path], typer.Option("--logs", help="Logs: files, or folders of them. Repeatable.")]
To = Annotated[Path, typer.Option("--to", "-o", help="The posterior, as a randomization.yaml.")]
TrainIn = Annotated[Path | None, typer.Option(help="Copy the robot's folder here, with the posterior as its worlds.")]
Judges = Annotated[
    list[Path] | None, typer.Option(help="Logs to judge by; default: a quarter of the others. Repeatable.")
]
Worlds = Annotated[Path | None, typer.Option(help="Worlds to search in; default: the robot's own file.")]
Only = Annotated[list[str] | None, typer.Option(help="Identify only this parameter. Repeatable.")]
Hold = Annotated[list[str] | None, typer.Option(help="Do not identify this parameter. Repeatable.")]
Way = Annotated[
    Literal["reweight", "dropo", "simopt", "npe"],
    typer.Option(help="EPOpt's reweighting, DROPO's likelihood, SimOpt's bounded step, or a neural density."),
]
Horizon = Annotated[float, typer.Option(min=0.01, help="How far ahead each segment foretells, in s.")]
Segments = Annotated[int, typer.Option(min=8, help="Segments used at most.")]
Evaluations = Annotated[int, typer.Option(min=10, help="Worlds that CMA-ES may try.")]
Particles = Annotated[int, typer.Option(min=20, help="Worlds of the posterior in each of its rounds.")]
Learnt = Annotated[int, typer.Option("--simulations", min=50, help="NPE: worlds simulated to learn from.")]
Epsilon = Annotated[float | None, typer.Option(help="DROPO: variance no parameter explains, in rad².")]
Nats = Annotated[float, typer.Option(help="SimOpt: largest step from the prior, in nats.")]


@app.command()
def identify(
    robot: Annotated[str, typer.Argument(help="Robot: its name, or a path such as ./my_robot.", show_default=False)],
    logs: Logs,
    to: To = Path("posterior.yaml"),
    train_in: TrainIn = None,
    columns: Columns = None,
    validation: Judges = None,
    prior: Worlds = None,
    only: Only = None,
    hold: Hold = None,
    method: Way = "reweight",
    horizon: Horizon = 0.25,
    segments: Segments = 80,
    evaluations: Evaluations = 200,
    particles: Particles = 150,
    simulations: Learnt = 500,
    epsilon: Epsilon = None,
    kl: Nats = 2.0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 1,
    seed: Seed = 0,
    assess: Annotated[bool, typer.Option("--assess", help="Only say what the logs can tell; no fit.")] = False,
    as_json: Json = False,
) -> None:
    """Identify a robot's worlds from its logs: what they tell, the posterior as YAML, a picture of its forecast."""
    from sdk.identify import run
    from sdk.identify.files import assessment, task_of, write
    from sdk.identify.settings import Settings
    from sdk.progress import stages_bar

    settings = Settings.parse(
        {"method": method, "horizon": horizon, "segments": segments, "evaluations": evaluations, "kl": kl}
        | {"particles": particles, "simulations": simulations, "epsilon": epsilon, "jobs": jobs, "seed": seed}
    )
    task = task_of(robot, logs, columns, validation or [], prior, only or [], hold or [])
    with stages_bar(f"identify {robot}", err) as report:
        if assess:
            facts = assessment(run.assess(task, settings, report))
        else:
            facts = write(run.identify(task, settings, report), robot, to, train_in)
    show(facts, as_json, lambda: (_print_assessment if assess else _print)(facts))


def _print_assessment(facts: dict[str, Any]) -> None:
    table("share of the prior's spread left, the others known and unknown", facts["parameters"])
    _print_pairs(facts)


def _print_pairs(facts: dict[str, Any]) -> None:
    for pair in facts["pairs"]:
        say(f"! {' and '.join(pair['pair'])} hide each other (correlation {pair['correlation']:.2f})")


def _print(facts: dict[str, Any]) -> None:
    for warning in facts["warnings"]:
        say(f"! {warning}")
    for name in facts["not_told"]:
        say(f"! {name}: the logs tell nothing about it; it keeps its prior")
    rows = [{**row, "prior": row["prior"]} for row in facts["parameters"]]
    table("posterior: mean, standard deviation, 5 and 95 %", rows)
    _print_pairs(facts)
    judged = facts["validation"]
    table(
        f"error {facts['settings']['horizon']:g} s ahead on {judged['segments']} validation segments [rad]",
        [
            {"model": "posterior", "rmse": judged["rmse"]},
            {"model": "robot's files", "rmse": judged["nominal"]},
            {"model": "no motion", "rmse": judged["no_motion"]},
        ],
    )
    say(f"The 90 % band holds {judged['covered']:.0%} of what was measured.")
    say(f"{facts['simulations']} simulations of {facts['segments']} segments, {facts['wall_s']:.0f} s.")
    say(f"Posterior: {facts['posterior_file']}, picture: {facts['picture']}")
    if "robot_folder" in facts:
        say(f"Next: simshift train rl2 --set robot={facts['robot_folder']}")
