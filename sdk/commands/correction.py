"""The command that decides whether a correction for other dynamics is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sdk.commands.driving import WhichEngine
from sdk.commands.screen import Json, Seed, err, say, show

app = typer.Typer()


@app.command()
def gate(
    corrected: Annotated[Path, typer.Argument(help="Run or bundle trained with a correction.", show_default=False)],
    uncorrected: Annotated[Path, typer.Argument(help="Run or bundle trained without one.", show_default=False)],
    worlds: Annotated[int, typer.Option(min=2, help="Target worlds, one trial each, the same for both.")] = 20,
    seed: Seed = 0,
    effect: Annotated[
        str | None, typer.Option(help="Play in this effect; default: the corrected run's target.")
    ] = None,
    engine: WhichEngine = None,
    risk: Annotated[
        float | None, typer.Option(min=1e-9, help="Compare log E exp(return / RISK) instead of means.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play a corrected and an uncorrected policy in the target, and say which to keep; in doubt the uncorrected one."""
    from sdk.offdynamics.judge import judge

    with err.status(f"playing {worlds} target worlds, twice"):
        verdict = judge(corrected, uncorrected, trials=worlds, seed=seed, effect=effect, engine=engine, risk=risk)
    kept = corrected if verdict.keep == "corrected" else uncorrected
    facts = {"keep": str(kept), "verdict": verdict.keep, "sure": verdict.sure, "gain": verdict.gain.plain()}
    sure = "surely" if verdict.sure else "as far as these worlds tell"
    show(facts, as_json, lambda: say(f"Keep {kept}: the correction gains {verdict.gain} a trial, {sure}."))
