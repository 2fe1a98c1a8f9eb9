"""A benchmark's picture: how its algorithms learned, and how what they learned adapts within a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from sdk.suite.definition import Benchmark
from sdk.suite.kept import Kept
from sdk.toys.references.base import Known

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = Path("docs/images/benchmarks")
COLOURS = (
    *("#e07b1a", "#2a6fb0", "#3a9a5b", "#a04db0", "#c43c4e", "#6b6b6b"),
    *("#17a2a2", "#e58fc4", "#1f2f6b", "#9bbf2b", "#7f3b08", "#d4b106"),
)
FEW = 20
"""Attempts that are marked one by one."""

REFERENCE, PUBLISHED = "#8a8f98", "#b89b5e"


def draw(path: Path, benchmark: Benchmark, runs: Mapping[str, list[Kept]], strategies: Mapping[str, Known]) -> None:
    """Write the picture of all algorithms that have been run; `strategies` are what they are compared with."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=[1.3, 1])
    figure.suptitle(benchmark.file.title, fontsize=11)
    colours = {algo: COLOURS[i % len(COLOURS)] for i, algo in enumerate(benchmark.file.algorithms)}
    _learning(left, benchmark, runs, strategies, colours)
    episodes = max((len(run.per_episode) for seeds in runs.values() for run in seeds), default=1)
    if episodes > 1:
        _attempts(right, runs, strategies, colours)
    else:
        _steps(right, runs, colours)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _learning(
    axes: Axes,
    benchmark: Benchmark,
    runs: Mapping[str, list[Kept]],
    strategies: Mapping[str, Known],
    colours: Mapping[str, str],
) -> None:
    for algo, seeds in runs.items():
        for seed, run in enumerate(seeds):
            steps, means = [p["steps"] / 1e6 for p in run.curve], [p["mean"] for p in run.curve]
            axes.plot(steps, means, color=colours.get(algo), lw=1.2, label=None if seed else f"{algo}, each seed")
    lines = {name: (strategy.total, REFERENCE, ":") for name, strategy in strategies.items()}
    lines |= {label: (value, PUBLISHED, "--") for label, value in benchmark.file.published.items()}
    lines[benchmark.file.ceiling] = (strategies[benchmark.file.ceiling].total, "black", "-")
    for value, colour, style in lines.values():
        axes.axhline(value, color=colour, ls=style, lw=1)
    _name_lines(axes, {label: (value, colour) for label, (value, colour, _) in lines.items()})
    axes.set(xlabel="million environment steps", ylabel=benchmark.file.unit)
    _legend(axes)


def _name_lines(axes: Axes, lines: Mapping[str, tuple[float, str]]) -> None:
    """Write each line's name at the right edge, no closer to the next than a line of text."""
    low, high = axes.get_ylim()
    at = -np.inf
    for label, (value, colour) in sorted(lines.items(), key=lambda line: line[1][0]):
        at = max((value - low) / (high - low), at + 0.055)
        axes.text(1.01, at, f"{label} {value:.4g}", transform=axes.transAxes, fontsize=7, va="center", color=colour)


def _attempts(
    axes: Axes, runs: Mapping[str, list[Kept]], strategies: Mapping[str, Known], colours: Mapping[str, str]
) -> None:
    for name, strategy in ((name, one) for name, one in strategies.items() if name not in runs):
        attempt = np.arange(1, len(strategy.per_episode) + 1)
        axes.plot(attempt, strategy.per_episode, ":", color=REFERENCE, lw=1)
        axes.text(attempt[-1], strategy.per_episode[-1], f" {name}", fontsize=7, va="center", color=REFERENCE)
    for algo, seeds in runs.items():
        mean = mean_per_episode(seeds)
        style = "o-" if len(mean) <= FEW else "-"
        axes.plot(np.arange(1, len(mean) + 1), mean, style, ms=4, color=colours.get(algo), label=algo)
    axes.set(xlabel="attempt (episode of the trial)", ylabel="return of the episode")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)


def mean_per_episode(runs: Sequence[Kept]) -> np.ndarray:
    """Return what each episode earns, the mean of runs, for the episodes that all of them have."""
    shown = min(len(run.per_episode) for run in runs)
    return np.mean([run.per_episode[:shown] for run in runs], axis=0)  # type: ignore[no-any-return]


def _legend(axes: Axes) -> None:
    many = len(axes.get_legend_handles_labels()[1]) > 5
    axes.legend(frameon=False, fontsize=7 if many else 8, ncols=2 if many else 1, loc="lower right")


def _steps(axes: Axes, runs: Mapping[str, list[Kept]], colours: Mapping[str, str]) -> None:
    for algo, seeds in runs.items():
        if seeds[0].by_step:
            mean = np.mean([run.by_step for run in seeds], axis=0)
            axes.plot(np.arange(1, len(mean) + 1), mean, color=colours.get(algo), lw=1.2, label=algo)
    axes.set(xlabel="step of the trial", ylabel="mean reward of the step")
    _legend(axes)
