"""A problem's picture: what each arm earns in each target, between source-only and the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from sdk.offdynamics.benchmark.interquartile import iqm_ci95
from sdk.offdynamics.benchmark.outcome import Returns
from sdk.offdynamics.benchmark.problem import Problem

LINES = {"source_only": "#c43c4e", "oracle": "black"}


def draw(path: Path, problem: Problem, found: Mapping[str, Returns]) -> None:
    """Write the picture, one panel a target."""
    size = (1 + 3.2 * len(found), 3.6)
    figure, panels = plt.subplots(1, len(found), figsize=size, layout="constrained", squeeze=False)
    figure.suptitle(problem.file.title, fontsize=11)
    for axes, (target, returns) in zip(panels[0], found.items(), strict=True):
        estimates = {arm: iqm_ci95(values) for arm, values in returns.arms.items()}
        for row, (arm, one) in enumerate(estimates.items()):
            axes.plot([one.low, one.high], [row, row], color="#8a8f98", lw=1.5)
            axes.plot(one.value, row, "o", ms=5, color=LINES.get(arm, "#2a6fb0"))
            if arm in LINES:
                axes.axvline(one.value, color=LINES[arm], lw=0.8, ls=":")
        axes.set_yticks(range(len(estimates)), list(estimates), fontsize=7)
        axes.invert_yaxis()
        axes.set_title(problem.file.targets[target].title, fontsize=9)
        axes.set_xlabel(problem.file.unit, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
