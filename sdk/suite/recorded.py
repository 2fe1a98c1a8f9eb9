"""What benchmarks of the suite have recorded, for the pages of the documentation that are made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdk.results import Result, Row
from sdk.suite.definition import Benchmark


@dataclass(frozen=True)
class Outcome:
    """One algorithm's results file, its rows by what they measure."""

    algo: str
    result: Result
    rows: dict[str, Row]

    @staticmethod
    def of(result: Result) -> Outcome:
        """Read a results file that a benchmark of the suite wrote."""
        names = [row.name.split("/", 2) for row in result.rows]
        return Outcome(names[0][1], result, {name[2]: row for name, row in zip(names, result.rows, strict=True)})

    @property
    def total(self) -> Row:
        """The mean return of a trial."""
        return self.rows["total_return"]


def belongs(result: Result, benchmark: Benchmark) -> bool:
    """Return whether a results file is of one of a benchmark's algorithms."""
    return result.benchmark in set(map(benchmark.result_name, benchmark.file.algorithms))


def table(columns: Iterable[str], rows: Iterable[list[str]]) -> list[str]:
    """Return the lines of a table."""
    head = list(columns)
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
