"""The demo's picture: return by episode for the three arms, and one adapting trial over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from robots.recordings.recording import Recording
from sdk.statistics import mean_ci95

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sdk.evaluate import Evaluation

COLOURS = {"robust": "#8a8f98", "rl2": "#e07b1a", "oracle": "#2a6fb0"}
LABELS = {
    "robust": "robust (no memory)",
    "rl2": "adaptive (RL², through the runtime)",
    "oracle": "oracle (told the truth)",
}


def draw(path: Path, played: dict[str, Evaluation], live: Recording, worlds: list[dict[str, Any]]) -> None:
    """Write the picture; `live` holds the trials of `worlds`, of which one with a backward motor is shown."""
    figure, (left, upper, lower) = _layout()
    _episodes(left, played)
    chosen = next((i for i, world in enumerate(worlds) if world["params"]["motor_gain"] < 0), 0)
    _trial(upper, lower, live, chosen, worlds[chosen]["params"])
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _layout() -> tuple[plt.Figure, tuple[Axes, Axes, Axes]]:
    figure = plt.figure(figsize=(12, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.7], height_ratios=[2, 1])
    upper = figure.add_subplot(grid[0, 1])
    return figure, (figure.add_subplot(grid[:, 0]), upper, figure.add_subplot(grid[1, 1], sharex=upper))


def _episodes(axes: Axes, played: dict[str, Evaluation]) -> None:
    for arm in ("oracle", "rl2", "robust"):
        estimates = [mean_ci95(column) for column in played[arm].per_episode.T]
        episode = np.arange(1, len(estimates) + 1)
        means = np.array([e.value for e in estimates])
        spread = np.array([[e.value - e.low, e.high - e.value] for e in estimates]).T
        axes.errorbar(episode, means, spread, fmt="o-", capsize=4, color=COLOURS[arm], label=LABELS[arm])
    axes.set(xlabel="episode of the trial", ylabel="return", xticks=episode, ylim=(0, None))
    axes.set_title("worlds never seen, with an unmodelled effect", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="lower right")


def _trial(upper: Axes, lower: Axes, live: Recording, chosen: int, params: dict[str, float]) -> None:
    trial = np.cumsum(live.trial_start) - 1 == chosen
    starts = np.flatnonzero(live.episode_start[trial])[1:]
    time = live.contract.control_dt * np.arange(trial.sum())
    joint = live.contract.joint_names[0]
    upper.step(
        *_gaps(time, live.signals["joint_pos_target"][trial, 0], starts), "k-", where="post", lw=1, label="target"
    )
    upper.plot(*_gaps(time, live.signals["joint_pos"][trial, 0], starts), color=COLOURS["rl2"], label="measured")
    lower.step(*_gaps(time, live.sent[joint][trial], starts), where="post", color=COLOURS["oracle"], lw=1)
    for axes in (upper, lower):
        for start in time[starts]:
            axes.axvline(start, color="#cccccc", lw=0.8)
    gain, payload, delay = params["motor_gain"], params["payload_mass"], params["motor_delay"]
    upper.set_title(f"one trial: gain {gain:+.2f}, payload {payload:.2f} kg, delay {1e3 * delay:.0f} ms", fontsize=10)
    upper.set_ylabel("joint angle [rad]")
    upper.legend(frameon=False, fontsize=9, loc="lower right")
    lower.set(xlabel="time [s]", ylabel="command [N·m]")


def _gaps(time: np.ndarray, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Break the line before each episode: between two of them the robot is put back by hand."""
    return np.insert(time, starts, time[starts]), np.insert(values.astype(float), starts, np.nan)
