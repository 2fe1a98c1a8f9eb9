"""Commands about recordings: judge a simulation by those of real robots, or a bundle by those of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sdk.commands.screen import Json, err, out, show, table

app = typer.Typer()


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="Recorded run (.npz or .mcap).", show_default=False)],
    bundle: Annotated[Path, typer.Argument(help="Bundle: a folder or a .zip.", show_default=False)],
    tolerance: Annotated[
        float | None, typer.Option(min=0.0, help="Largest error, in units of the action scale; default: parity's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a recording through a bundle again and compare the commands; status 1 when they differ."""
    from export.manifest import PARITY_TOLERANCE
    from export.runtime.policy import Policy
    from export.runtime.replay import replay_recording
    from robots.recordings.files import read_recording

    limit = PARITY_TOLERANCE if tolerance is None else tolerance
    diff = replay_recording(read_recording(recording), Policy.load(bundle), limit)
    facts = {"recording": str(recording), "bundle": str(bundle), **diff.plain()}
    show(facts, as_json, lambda: table("replayed commands", [facts]))
    if not diff.holds:
        raise typer.Exit(1)


@app.command("replay-log")
def replay_log(
    robot: Annotated[str, typer.Argument(help="Robot whose simulation is judged.", show_default=False)],
    logs: Annotated[list[Path], typer.Argument(help="Runs (.npz, .mcap), or folders of them.", show_default=False)],
    horizon: Annotated[float, typer.Option(min=0.01, help="How far ahead to foretell, in s.")] = 0.25,
    delay: Annotated[str, typer.Option(help="Command delay, in s; auto: lag of the measured torque.")] = "auto",
    clip: Annotated[bool, typer.Option("--clip", help="Keep runs that command beyond the contract, clipped.")] = False,
    as_json: Json = False,
) -> None:
    """Compare a simulated robot with recordings of the real one: prediction error from each measured state."""
    from sdk.progress import counter
    from sdk.replay import parse_delay, replay_logs

    with counter("replay", err) as report:
        facts = replay_logs(robot, logs, horizon, parse_delay(delay), clip, report)
    show(facts, as_json, lambda: _print(facts))


def _print(facts: dict[str, Any]) -> None:
    units = f"RMSE {facts['horizon']:g} s ahead [rad], commands {1000 * facts['delay']:.3g} ms late"
    table(f"{units}; joints {', '.join(facts['joints'])}", [*facts["runs"], facts["all"]])
    for run, reason in facts["dropped"].items():
        out.print(f"dropped {run}: {reason}")
