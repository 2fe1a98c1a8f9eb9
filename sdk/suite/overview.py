"""What benchmarks there are, and what is recorded of each."""

from __future__ import annotations

from typing import Any

from sdk.results import RESULTS, Result, read_results
from sdk.suite.definition import Benchmark, benchmark_names, find_benchmark


def recorded(benchmark: Benchmark, algo: str, results: list[Result]) -> Result | None:
    """Return what is recorded of an algorithm in a benchmark."""
    name = benchmark.result_name(algo)
    return next((result for result in results if result.benchmark == name), None)


def overview() -> list[dict[str, Any]]:
    """Return a row for each benchmark and algorithm, blank where nothing is recorded."""
    results = read_results() if any(RESULTS.glob("*.json")) else []
    found = map(find_benchmark, benchmark_names())
    return [_row(one, algo, recorded(one, algo, results)) for one in found for algo in one.file.algorithms]


def _row(benchmark: Benchmark, algo: str, result: Result | None) -> dict[str, Any]:
    row = next((row for row in result.rows if row.bar), result.rows[0]) if result else None
    return {
        "benchmark": benchmark.name,
        "algorithm": algo,
        "value": row.value if row else "",
        "ci95": row.ci95 if row and row.ci95 else "",
        "ceiling": row.reference.get("ceiling", "") if row else "",
        "bar": row.bar if row and row.bar else "",
        "holds": row.holds if row and row.holds is not None else "",
    }
