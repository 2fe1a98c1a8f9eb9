"""A narrowing loop in one picture: what the machine scored at each visit, and what was known of each parameter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

BLUE, ORANGE, GREY = "#3b6ea5", "#d9822b", "#dddddd"


def draw(path: Path, summary: dict[str, Any]) -> None:
    """Write the picture."""
    rounds = summary["rounds"]
    names = [row["parameter"] for row in rounds[0].get("parameters", [])]
    columns = min(3, len(names)) or 1
    rows = max(1, -(-len(names) // columns))
    figure = plt.figure(figsize=(5 + 3 * columns, 2.4 * max(rows, 2)), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, columns * 0.7])[0]
    _returns(left.subplots(), rounds)
    for axes, name in zip(np.ravel(right.subplots(rows, columns)), names, strict=False):
        _known(axes, name, rounds)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _returns(axes: Axes, rounds: list[dict[str, Any]]) -> None:
    numbers = [one["round"] for one in rounds]
    axes.plot(numbers, [np.mean(one["per_episode"]) for one in rounds], "o-", color=BLUE, label="mean of the visit")
    axes.plot(numbers, [one["per_episode"][-1] for one in rounds], "s--", color=ORANGE, label="its last episode")
    axes.set(xticks=numbers, xlabel="visit", ylabel="return of an episode")
    axes.set_title("on the machine", fontsize=9)
    axes.legend(frameon=False, fontsize=8)


def _known(axes: Axes, name: str, rounds: list[dict[str, Any]]) -> None:
    """Mean and 90 % interval after each visit, within the prior's range; a line where a twin gave the truth away."""
    found = [(one["round"], row) for one in rounds for row in one.get("parameters", []) if row["parameter"] == name]
    numbers = [number for number, _ in found]
    low, mean, high = (np.array([row[key] for _, row in found]) for key in ("low", "mean", "high"))
    axes.axhspan(*found[0][1]["prior"], color=GREY, lw=0)
    axes.errorbar(numbers, mean, [mean - low, high - mean], fmt="o", color=BLUE, capsize=3)
    if name in rounds[0]["truth"]:
        axes.axhline(rounds[0]["truth"][name], color=ORANGE, lw=1)
    axes.set_xticks(numbers)
    axes.set_title(f"{name} [{found[0][1]['unit']}]", fontsize=8)
    axes.tick_params(labelsize=7)
