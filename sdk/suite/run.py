"""Run a benchmark, whatever it is about."""

from __future__ import annotations

from rich.console import Console

from sdk.results import Row
from sdk.suite.definition import Benchmark
from sdk.suite.options import Options
from sdk.suite.robots import run_robot
from sdk.suite.toys import run_toy


def run_benchmark(benchmark: Benchmark, options: Options, console: Console) -> dict[str, list[Row]]:
    """Train and evaluate a benchmark's algorithms and return their rows; `run_toy` and `run_robot` say how."""
    return (run_toy if benchmark.kind == "toys" else run_robot)(benchmark, options, console)
