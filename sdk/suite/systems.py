"""All methods in one table: how each adapts, what is random about it, what was measured, when to choose it.

What is measured comes from the results files: of each method, in the benchmark that most methods have a file in; what
it costs on a device, from `benchmarks.adaptation_cost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdk.algos.base import algorithm_names, find_algorithm
from sdk.results import Result, Row
from sdk.suite.choices import CHOICES
from sdk.suite.definition import find_benchmark

COST = "adaptation_cost"
COLUMNS = (
    "method",
    "how it adapts",
    "what is random on the robot",
    "measured on",
    "steps to train",
    "return by attempt",
    "gap closed on robots",
    "cost on the device",
    "when to choose it",
)
SHOWN = 4
"""Attempts or adaptations in a cell."""


def systems(recorded: Mapping[str, Mapping[str, Mapping[str, Row]]], results: Sequence[Result]) -> list[list[str]]:
    """Return a row of cells for each method, blank where nothing is recorded.

    `recorded` are the rows of results files by benchmark, by method, and by what they measure.
    """
    costs = {row.name: row for result in results if result.benchmark == COST for row in result.rows}
    return [_system(name, recorded, costs) for name in algorithm_names()]


def _system(name: str, recorded: Mapping[str, Mapping[str, Mapping[str, Row]]], costs: Mapping[str, Row]) -> list[str]:
    choice, algorithm = CHOICES[name], find_algorithm(name)
    there = [benchmark for benchmark, methods in recorded.items() if name in methods]
    benchmark = max(there, key=lambda one: len(recorded[one]), default=None)
    rows = recorded[benchmark][name] if benchmark is not None else {}
    return [
        f"`{name}`",
        algorithm.summary,
        choice.randomness,
        benchmark or "",
        f"{rows['steps'].value / 1e6:.3g} M" if "steps" in rows else "",
        by_attempt(rows),
        on_robots(name, recorded),
        on_device(name, costs),
        choice.choose,
    ]


def by_attempt(rows: Mapping[str, Row]) -> str:
    """Return the mean returns of the first attempts, or between the first adaptations; of a trial if neither."""
    attempts = [f"{row.value:.3g}" for name, row in rows.items() if name.startswith(("episode_", "adapted_"))]
    if not attempts:
        return f"{rows['total_return'].value:.4g} in all" if "total_return" in rows else ""
    return ", ".join(attempts[:SHOWN]) + (", …" if len(attempts) > SHOWN else "")


def on_robots(name: str, recorded: Mapping[str, Mapping[str, Mapping[str, Row]]]) -> str:
    """Return the gap that a method closed in each benchmark on a robot that it has a file of."""
    robots = {one: methods[name] for one, methods in recorded.items() if name in methods and _on_robot(one)}
    return ", ".join(f"{one} {rows['gap_closed'].value:.0%}" for one, rows in robots.items() if "gap_closed" in rows)


def _on_robot(benchmark: str) -> bool:
    return find_benchmark(benchmark).kind == "robots"


def on_device(name: str, costs: Mapping[str, Row]) -> str:
    """Return a method's tick, its round of adaptation if it has one, and how many numbers it carries."""
    if f"{name}/tick" not in costs:
        return ""
    tick, carried = costs[f"{name}/tick"].value, costs[f"{name}/carried"].value
    adapt = costs.get(f"{name}/adapt")
    between = "" if adapt is None else f", {adapt.value:.2g} ms between episodes"
    return f"{tick:.3g} µs a tick{between}; carries {carried:.0f}"
