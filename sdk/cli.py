"""The command line. Each command imports what it needs when it runs, so `simshift run` needs no torch and no simulator.

Results go to standard output (with `--json`, as one JSON object and nothing else), progress to standard error.
Exit status: 0 fine, 1 the robot or the check said no, 2 a mistake that the message explains.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sdk.commands import benchmarks, bundles, correction, driving, identification, logs, narrowing, recordings, robots
from sdk.commands.driving import Effect, WhichEngine
from sdk.commands.screen import Json, Seed, err
from sdk.commands.screen import say as _say
from sdk.commands.screen import show as _show
from sdk.commands.screen import table as _table

app = typer.Typer(
    name="simshift",
    help="Train in simulation, export a policy that adapts, run it on a robot.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(robots.app)
app.add_typer(bundles.app)
app.add_typer(driving.app)
app.add_typer(recordings.app)
app.add_typer(logs.app)
app.add_typer(identification.app)
app.add_typer(narrowing.app)
app.add_typer(benchmarks.app)
app.add_typer(correction.app)

Run = Annotated[Path, typer.Argument(help="Folder of a training run.", show_default=False)]


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="robots, tasks, algorithms, params, effects, toys or benchmarks")],
    as_json: Json = False,
) -> None:
    """List what there is: robots, tasks, algorithms, randomisable parameters, unmodelled effects, toys, benchmarks."""
    from sdk.catalogue import catalogue

    rows = catalogue(what)
    _show(rows, as_json, lambda: _table(what, rows))


@app.command()
def train(
    algo: Annotated[str, typer.Argument(help="Algorithm; see 'simshift list algorithms'.", show_default=False)],
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Run folder; default runs/ALGO.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file over the algorithm's defaults.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override one key: ppo.lr=1e-3. Repeatable.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    as_json: Json = False,
) -> None:
    """Train a policy in simulation; safe to interrupt, and to continue with --resume."""
    from sdk.checkpoint import RunFolder
    from sdk.config import resolve_config
    from sdk.progress import training_bar
    from sdk.train import train as train_

    folder = to or Path("runs") / algo
    settings = RunFolder(folder).config() if resume else resolve_config(algo, config, set_)
    _refuse_changes(resume, algo, settings.algo, config, set_)
    with training_bar(f"{algo} on {settings.subject}", err) as report:
        train_(settings, folder, resume=resume, report=report)
    last = RunFolder(folder).metrics()[-1]
    verb = "evaluate" if settings.toy else "export"
    _show({"run": str(folder), **last}, as_json, lambda: _say(f"Trained: {folder}. Next: simshift {verb} {folder}"))


@app.command()
def evaluate(
    run: Run,
    worlds: Annotated[int, typer.Option(min=2, help="Held-out worlds, one trial each.")] = 100,
    seed: Seed = 0,
    effect: Effect = "none",
    engine: WhichEngine = None,
    as_json: Json = False,
) -> None:
    """Play a trained policy on held-out worlds and report its return by episode."""
    from sdk.evaluate import evaluate_run
    from sdk.progress import bar

    with bar("evaluate", worlds, err) as report:
        result = evaluate_run(run, worlds, seed=seed, effect=effect, engine=engine, report=report).plain()
    _show(result, as_json, lambda: _table("held-out worlds", [_evaluation_row(result)]))


@app.command()
def demo(
    to: Annotated[Path, typer.Option("--to", "-o", help="Where everything goes.")] = Path("runs/demo"),
    steps: Annotated[int | None, typer.Option(help="Training steps of each arm; default: the arms' own.")] = None,
    worlds: Annotated[int, typer.Option(min=2, help="Held-out worlds of the comparison.")] = 100,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The main job, end to end: train three arms, export, adapt on a robot never seen, and compare."""
    from sdk.demo import run_demo

    summary = run_demo(to, steps=steps, worlds=worlds, seed=seed, console=err)
    _show(summary, as_json, lambda: _demo_table(summary, to))


def main() -> None:
    """Run the command line; mistakes end with one line that says what to do, not with a traceback."""
    from domain_rand.schema import ConfigError
    from export.manifest import BundleError
    from robots.drivers.base import DriverError
    from robots.safety import UnsafeCommand

    try:
        app()
    except (ConfigError, BundleError, DriverError, UnsafeCommand) as error:
        _fail(str(error), 2)
    except ModuleNotFoundError as error:
        _fail(f"this command needs '{error.name}': pip install 'simshift[train]'", 2)
    except RuntimeError as error:
        _fail(str(error), 1)


def _fail(message: str, status: int) -> NoReturn:
    err.print("error:", style="red", end=" ")
    err.print(message, highlight=False, soft_wrap=True)
    sys.exit(status)


def _refuse_changes(resume: bool, algo: str, held: str, config: Path | None, overrides: list[str] | None) -> None:
    if resume and (algo != held or config or overrides):
        raise typer.BadParameter(f"--resume continues the run as it was started ({held}); leave out other settings")


def _evaluation_row(result: dict[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("worlds", "mean", "ci95", "per_episode", "success")}


def _demo_table(summary: dict[str, Any], folder: Path) -> None:
    rows = [
        {"arm": name, **_evaluation_row({"worlds": summary["worlds"], **arm})} for name, arm in summary["arms"].items()
    ]
    _table("return of a trial on held-out worlds", rows)
    _say(f"{_gap_line(summary)}; picture: {folder / 'demo.png'}")


def _gap_line(summary: dict[str, Any]) -> str:
    robust, oracle = (summary["arms"][arm]["mean"] for arm in ("robust", "oracle"))
    if oracle <= robust:
        return "no gap to close: the oracle earns no more than robust; train longer (--steps)"
    gap, last = summary["gap_closed"], summary["gap_closed_last_episode"]
    return f"gap closed {gap['mean']:.0%}, in the last episode {last['mean']:.0%}"


if __name__ == "__main__":
    main()
