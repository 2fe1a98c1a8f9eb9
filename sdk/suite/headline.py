"""The headline page of the documentation, from the results files: on each robot, what adapting is worth to it.

A table has an arm a row, the floor first and the ceiling last, between them by return; what no arm has recorded has no
column, what one has not is blank.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sdk.results import Result, Row
from sdk.suite.definition import Benchmark, benchmark_names, find_benchmark
from sdk.suite.recorded import Outcome, belongs, table

HEADER = [
    "# Adapting to hidden dynamics",
    "",
    "Generated from `benchmarks/results/` by `make docs`; do not edit. `simshift benchmark NAME --seeds 0 1 2` trains,",
    "exports and drives all arms of a table and writes their files; protocols are in [benchmarks.md](benchmarks.md).",
    "",
    "In brackets are 95 % intervals over training seeds and held-out worlds. **Seconds to 90 %**: the earliest time of",
    "the trial from which on, over every half second, an arm is no further behind the ceiling than at the same time of",
    "the last episode, but for a tenth of what it gains on the floor in that episode; the whole trial where it gains",
    "nothing. **Recovery**: the same from a switch on, but for a tenth of what the arm earns in the last episode.",
    "Returns before and after a switch are of a second. The ceiling is told the hidden parameters; outside of training",
    "it need not be the best.",
    "",
]
COLUMNS = {"success": "success", "total_return": "return", "gap_closed": "gap closed", "seconds_to_90": "s to 90 %"}
SHARES = ("success", "gap_closed")
NEVER_OUTSIDE = {"success": (0.0, 1.0)}
"""Where no value can lie outside, the interval shown does not either."""


@dataclass(frozen=True)
class Column:
    """What one column shows: its head, and of an arm's rows the cell."""

    head: str
    cell: Callable[[dict[str, Row]], str]


def headline(results: list[Result]) -> str:
    """Return the page: a section for each benchmark on a robot that has a file."""
    lines = list(HEADER)
    for one in (found for found in map(find_benchmark, benchmark_names()) if found.kind == "robots"):
        outcomes = [Outcome.of(result) for result in results if belongs(result, one)]
        lines += _section(one, _ordered(one, outcomes)) if outcomes else []
    return "\n".join(lines)


def _section(benchmark: Benchmark, outcomes: list[Outcome]) -> list[str]:
    file, rows = benchmark.file, {outcome.algo: outcome.rows for outcome in outcomes}
    groups = {
        "": [Column(head, _cell(name)) for name, head in COLUMNS.items()],
        "Outside of training": [Column(_words(name), _beyond(name)) for name in file.beyond],
        "A switch in mid-trial": [
            Column(f"{_words(name)} after {switch.at:g} s", _switch(name)) for name, switch in file.switch.items()
        ],
    }
    lines = [f"## {file.title}", ""]
    for title, columns in groups.items():
        lines += _group(title, columns, rows)
    return lines


def _group(title: str, columns: list[Column], rows: dict[str, dict[str, Row]]) -> list[str]:
    """Return a table with those columns in which an arm has something, or nothing."""
    shown = [column for column in columns if any(column.cell(of_arm) for of_arm in rows.values())]
    cells = [[f"`{arm}`", *(column.cell(of_arm) for column in shown)] for arm, of_arm in rows.items()]
    there = [line for line in cells if any(line[1:])]
    return (
        [*([title + ":", ""] if title else []), *table(["arm", *(c.head for c in shown)], there), ""] if there else []
    )


def _ordered(benchmark: Benchmark, outcomes: list[Outcome]) -> list[Outcome]:
    place = {benchmark.file.floor: -1, benchmark.file.ceiling: 1}
    return sorted(outcomes, key=lambda one: (place.get(one.algo, 0), one.total.value))


def _cell(name: str) -> Callable[[dict[str, Row]], str]:
    def cell(rows: dict[str, Row]) -> str:
        return number(rows[name], name in SHARES, NEVER_OUTSIDE.get(name)) if name in rows else ""

    return cell


def _beyond(name: str) -> Callable[[dict[str, Row]], str]:
    """Return the cell of worlds outside of training: the return, and the gap closed where there is one."""

    def cell(rows: dict[str, Row]) -> str:
        earned, gap = (rows.get(f"beyond/{name}/{what}") for what in ("total_return", "gap_closed"))
        return "" if earned is None else number(earned) + (f", gap {number(gap, share=True)}" if gap else "")

    return cell


def _switch(name: str) -> Callable[[dict[str, Row]], str]:
    """Return the cell of a switch: what a second earns before and after it, and how long recovery takes."""

    def cell(rows: dict[str, Row]) -> str:
        before, after, recovery = (rows.get(f"switch/{name}/{what}") for what in ("before", "after", "recovery"))
        if before is None or after is None:
            return ""
        return f"{number(before)} → {number(after)}" + (f", {number(recovery)} s" if recovery else "")

    return cell


def number(row: Row, share: bool = False, within: tuple[float, float] | None = None) -> str:
    """Return a value with its interval in brackets, as a percentage if it is a share; no end lies outside `within`."""
    low, high = within or (-math.inf, math.inf)
    ends = (min(max(x, low), high) for x in row.ci95 or ())
    value, *interval = (f"{x:.0%}" if share else f"{x:.3g}" for x in (row.value, *ends))
    return value + (f" [{', '.join(interval)}]" if interval else "")


def _words(name: str) -> str:
    return name.replace("_", " ")
