"""The command about benchmarks: run one, list them, check what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdk.commands.screen import Json, err, show, table

if TYPE_CHECKING:
    from sdk.results import Row
    from sdk.suite.options import Options

app = typer.Typer()

Name = Annotated[
    str | None,
    typer.Argument(
        help="Benchmark, 'toys', 'robots', 'off-dynamics', off-dynamics/PROBLEM, or a .yaml file (a problem's after "
        "off-dynamics/); none: list what is recorded.",
        metavar="[NAME]",
    ),
]


@app.command(context_settings={"allow_extra_args": True})
def benchmark(
    more: typer.Context,
    name: Name = None,
    algo: Annotated[
        list[str] | None, typer.Option(help="Algorithm (off-dynamics: arm); repeatable. Default: all it has.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Training seeds, as in --seeds 0 1 2.")] = "0 1 2",
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a run; default: the benchmark's own.")] = None,
    to: Annotated[Path, typer.Option("--to", "-o", help="Where the runs are kept.")] = Path("runs/benchmarks"),
    jobs: Annotated[int, typer.Option(min=1, help="Runs trained at once, each on one core.")] = 1,
    draft: Annotated[bool, typer.Option("--draft", help="Record nothing: no results file, no picture.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with status 1 when a recorded bar does not hold.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a benchmark's algorithms, compare them with its ceiling, record the result. Finished runs are reused."""
    if check:
        _check(as_json)
    elif name is None:
        _list(as_json)
    else:
        from sdk.suite.options import Options

        _run(name, Options(tuple(algo or ()), _seeds(seeds, more.args), steps, to, jobs, not draft), as_json)


def _run(name: str, options: Options, as_json: bool) -> None:
    from sdk.results import facts

    measured = _off_dynamics(name, options) if name.startswith("off-dynamics") else _suite(name, options)
    rows = [facts(row) for row in measured]
    show(rows, as_json, lambda: table(f"benchmark {name}", rows))


def _suite(name: str, options: Options) -> list[Row]:
    from sdk.suite.definition import find_benchmarks
    from sdk.suite.run import run_benchmark

    found = find_benchmarks(name)
    return [row for one in found for measured in run_benchmark(one, options, err).values() for row in measured]


def _off_dynamics(name: str, options: Options) -> list[Row]:
    from sdk.offdynamics.benchmark.run import run_group

    return run_group(name, options, err)


def _list(as_json: bool) -> None:
    from sdk.suite.overview import overview

    rows = overview()
    show(rows, as_json, lambda: table("benchmarks", rows))


def _check(as_json: bool) -> None:
    from sdk.results import read_results
    from sdk.results import table as all_rows

    rows = all_rows(read_results())
    missed = [row for row in rows if row["holds"] is False]
    show(rows, as_json, lambda: table("missed", missed))
    if missed:
        raise typer.Exit(1)


def _seeds(first: str, more: list[str]) -> tuple[int, ...]:
    """Return the seeds of `--seeds 0 1 2`: the option's own value, and the words behind it."""
    try:
        return tuple(dict.fromkeys(int(text) for text in [*first.replace(",", " ").split(), *more]))
    except ValueError:
        raise typer.BadParameter(
            f"expected whole numbers, as in --seeds 0 1 2; found {' '.join([first, *more])}"
        ) from None
