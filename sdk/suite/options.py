"""How a benchmark is run: what its file leaves open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdk.suite.definition import Benchmark
from sdk.suite.training import Job


@dataclass(frozen=True)
class Options:
    """Which of a benchmark's runs are meant, and where they are kept; no algorithms named means all."""

    algos: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int | None = None
    folder: Path = Path("runs/benchmarks")
    at_once: int = 1
    record: bool = True

    def chosen(self, benchmark: Benchmark) -> tuple[str, ...]:
        """Return the algorithms that are meant; none named means all."""
        return self.algos or tuple(benchmark.file.algorithms)

    def run_folder(self, benchmark: Benchmark, algo: str, seed: int) -> Path:
        """Return where a run is kept."""
        return self.folder / benchmark.name / algo / f"seed_{seed}"

    def jobs(self, benchmark: Benchmark, algos: Iterable[str]) -> dict[str, Job]:
        """Return the training runs of some algorithms, by what they are called."""
        return {
            f"{benchmark.name}/{algo}/seed {seed}": Job(
                benchmark.config(algo, seed, self.steps),
                self.run_folder(benchmark, algo, seed),
                benchmark.file.curve,
                benchmark.file.effect,
            )
            for algo in algos
            for seed in self.seeds
        }

    def result(self, benchmark: Benchmark, algo: str) -> tuple[str, str, list[int]]:
        """Return name, command and seeds of an algorithm's results file."""
        return benchmark.result_name(algo), self.command(benchmark, algo), list(self.seeds)

    def command(self, benchmark: Benchmark, algo: str) -> str:
        """Return the command that repeats an algorithm's result."""
        steps = [] if self.steps is None else ["--steps", str(self.steps)]
        seeds = map(str, self.seeds)
        return " ".join(["simshift benchmark", benchmark.asked, "--algo", algo, *steps, "--seeds", *seeds])
