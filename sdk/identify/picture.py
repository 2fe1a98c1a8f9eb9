"""An identification in one picture: prior and posterior of each parameter, their correlations, and the forecast."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from robots.identification.segments import Segments
from sdk.identify.prediction import Forecast
from sdk.identify.run import Identification

SECONDS = 4.0
"""How much of a validation run is drawn [s]."""

BLUE, ORANGE, GREY = "#3b6ea5", "#d9822b", "#999999"


def draw(path: Path, found: Identification) -> None:
    """Write the picture."""
    figure = plt.figure(figsize=(13, 7), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.1, 1])[0]
    upper, lower = left.subfigures(2, 1, squeeze=False, height_ratios=[1.2, 1])[:, 0]
    _parameters(upper, found)
    _correlations(lower, found)
    _forecast(right, found.forecast, found.facts["robot"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _parameters(figure: SubFigure, found: Identification) -> None:
    names = found.prior.names
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    grid = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    values = np.array([list(found.prior.values(point).values()) for point in found.points])
    for axes, name, column, row in zip(grid, names, values.T, found.facts["parameters"], strict=False):
        low, high = found.prior.randomization.parameters[name].draw.support
        axes.hist(column, bins=np.linspace(low, high, 41).tolist(), density=True, color=BLUE)
        axes.axvline(row["estimate"], color=ORANGE, lw=1)
        axes.set_title(f"{name}\n[{row['unit']}]", fontsize=6)
        axes.tick_params(labelsize=7)
        axes.set(xlim=(low, high), yticks=[])
    for axes in grid[len(names) :]:
        axes.axis("off")
    figure.suptitle("posterior within the prior's range; line: the estimate", fontsize=9)


def _correlations(figure: SubFigure, found: Identification) -> None:
    names = found.prior.names
    axes = figure.subplots()
    matrix = np.atleast_2d(np.corrcoef(found.points, rowvar=False))
    image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for i, j in np.argwhere(np.abs(matrix) > 0.005):
        axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=6)
    axes.set_title("correlation of the posterior", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _forecast(figure: SubFigure, forecast: Forecast, robot: str) -> None:
    segments = forecast.segments
    joints = segments.began.shape[1]
    all_axes = figure.subplots(joints, 1, sharex=True, squeeze=False).ravel()
    log, rows = segments.runs[0].log, segments.rows[0]
    begin = log.time[rows[0]]
    shown = log.time < begin + SECONDS
    for joint, axes in enumerate(all_axes):
        axes.plot(log.time[shown] - begin, log.joint_pos[shown, joint], color="black", lw=1, label="measured")
        for number, row in enumerate(rows):
            if log.time[row] < begin + SECONDS:
                _segment(axes, forecast, segments, number, joint, log.time[row] - begin)
        axes.set_ylabel(f"joint {joint + 1} [rad]", fontsize=8)
        axes.tick_params(labelsize=7)
    all_axes[0].legend(frameon=False, fontsize=8)
    all_axes[-1].set_xlabel("time [s]", fontsize=8)
    title = f"{robot}: {log.name}, foretold from each measured state"
    figure.suptitle(f"{title}\n90 % bands hold {forecast.covered:.0%} of all validation runs", fontsize=8)


def _segment(axes: Axes, forecast: Forecast, segments: Segments, number: int, joint: int, begin: float) -> None:
    """One segment's band, from the measured state it began in."""
    outputs = slice(joint, None, segments.began.shape[1])
    first = segments.began[number, joint]
    times = begin + np.concatenate([[0.0], segments.after])
    low, high, mean = (
        np.concatenate([[first], values[number, outputs]]) for values in (forecast.low, forecast.high, forecast.mean)
    )
    label = "foretold, 90 %" if number == 0 else None
    axes.fill_between(times, low, high, color=BLUE, alpha=0.35, lw=0, label=label)
    axes.plot(times, mean, color=BLUE, lw=0.8)
