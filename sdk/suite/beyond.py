"""What adapting goes on to achieve where no training went: returns by experience, beyond the tasks of training.

What adapts by gradient may go on for more rounds than it was trained for; what remembers or infers, for more episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from domain_rand.schema import ConfigError
from sdk.config import ToyConfig
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.evaluate import HELD_OUT, by_episode
from sdk.statistics import Estimate, seeds_by_tasks_ci95
from sdk.suite.pictures import COLOURS, REFERENCE
from sdk.train import load_policy


@dataclass(frozen=True)
class Course:
    """What a policy earns in an episode, after so many episodes of experience: one estimate for each number of them."""

    experience: tuple[int, ...]
    returns: tuple[Estimate, ...]


def course(folders: Sequence[Path], beyond: Mapping[str, Any], *, rounds: int, episodes: int, tasks: int) -> Course:
    """Play a toy's runs, of one method's seeds, on held-out tasks of these settings, with so many rounds or episodes.

    Raises `ConfigError` for a run on a robot.
    """
    size = {"rounds": rounds, "episodes": episodes, "tasks": tasks}
    played = [_phases(folder, beyond, **size) for folder in folders]
    experience, phases = played[0][0], np.stack([returns for _, returns in played])
    estimates = [seeds_by_tasks_ci95(phases[..., k]) for k in range(phases.shape[-1])]
    return Course(experience, tuple(estimates))


def _phases(
    folder: Path, beyond: Mapping[str, Any], *, rounds: int, episodes: int, tasks: int
) -> tuple[tuple[int, ...], np.ndarray]:
    """Return after how much experience a run was measured, and mean returns `[tasks, phases]` of an episode."""
    config, policy, _ = load_policy(folder)
    if config.toy is None:
        raise ConfigError(f"{folder} was trained on the robot '{config.robot}'; only toys have tasks beyond training's")
    every, learned = 1, getattr(policy, "rule", None)
    if learned is not None:
        policy.rule = replace(learned, rounds=rounds)  # type: ignore[arg-type]
        every, episodes = learned.every, learned.every * (rounds + 1)
    toy = ToyConfig(name=config.toy.name, settings={**config.toy.settings, **beyond, "episodes": episodes})
    worlds = make_worlds(config.model_copy(update={"toy": toy}), size=config.side_by_side, seed=0, stream=HELD_OUT)
    played = by_episode(collect_in_waves(worlds, policy, list(range(tasks)), 0, HELD_OUT, explore=False))
    return tuple(range(0, episodes, every)), played.per_episode.reshape(tasks, -1, every).mean(-1)


def draw_courses(
    path: Path, panels: Mapping[str, Mapping[str, Course]], levels: Mapping[str, Mapping[str, float]]
) -> None:
    """Write the picture: a panel for each set of tasks, a line for each run; `levels` are what is computed for them."""
    figure, axes = plt.subplots(1, len(panels), figsize=(5 * len(panels), 3.8), layout="constrained", squeeze=False)
    for axis, (title, runs) in zip(axes[0], panels.items(), strict=True):
        for colour, (name, one) in zip(np.resize(COLOURS, len(runs)), runs.items(), strict=True):
            x, y = np.array(one.experience) + 1, [estimate.value for estimate in one.returns]
            axis.plot(x, y, "o-", ms=3, color=colour, label=name)
            axis.fill_between(x, *zip(*((e.low, e.high) for e in one.returns), strict=True), color=colour, alpha=0.2)
        for name, value in levels[title].items():
            axis.axhline(value, color=REFERENCE, ls=":", lw=1)
            axis.annotate(name, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7)
        axis.set(xscale="log", xlabel="episode of the trial", ylabel="return of an episode", title=title)
        axis.legend(frameon=False, fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
