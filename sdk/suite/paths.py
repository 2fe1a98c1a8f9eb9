"""Paths through the plane, attempt by attempt: how a policy explores, and what it does once it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from sdk.engines.local import collect_in_waves, make_worlds
from sdk.evaluate import HELD_OUT
from sdk.rl.rollout import Rollout
from sdk.toys import corner, navigation, point_robot, wind
from sdk.toys.base import ToyTrials
from sdk.train import load_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TASKS, ELSEWHERE = 3, 200
"""Held-out tasks that are drawn, and tasks whose goals are shown faintly beside them."""


@dataclass(frozen=True)
class Plane:
    """How to draw a toy whose observation is a place: its goals `[N, 2]` from contexts, and how near is there."""

    goals: Callable[[np.ndarray], np.ndarray]
    radius: float
    drifts: bool = False
    """Whether the context is a wind, to be drawn as an arrow."""


PLANES = {
    "corner": Plane(lambda context: 2 * context, corner.SPEED),
    "navigation": Plane(lambda context: navigation.FURTHEST * context, navigation.NEAR),
    "point_robot": Plane(lambda context: context, point_robot.RADIUS),
    "wind": Plane(lambda context: np.tile(wind.GOAL, (len(context), 1)), wind.RADIUS, drifts=True),
}


@dataclass(frozen=True)
class Paths:
    """Trials in the plane: places `[tasks, attempts, steps + 1, 2]`, returns `[tasks, attempts]`, and contexts."""

    toy: str
    places: np.ndarray
    returns: np.ndarray
    context: np.ndarray
    elsewhere: np.ndarray
    """Contexts of other tasks."""
    together: int = 1
    """Attempts that are drawn in one panel: those between two adaptations."""

    @staticmethod
    def of(toy: str, rollout: Rollout, episode_steps: int, elsewhere: np.ndarray, together: int = 1) -> Paths:
        """Cut the trials of a rollout into attempts; the last place of each is where it truly ended."""
        started = rollout.obs[::episode_steps, None]
        places = np.concatenate([started, rollout.final_obs.unflatten(0, (-1, episode_steps))], axis=1)
        returns = rollout.reward.unflatten(0, (-1, episode_steps)).sum(1).T
        return Paths(
            toy, places.transpose(2, 0, 1, 3), returns.numpy(), rollout.context[0].numpy(), elsewhere, together
        )


def walked(folder: Path, together: int = 1, tasks: int = TASKS) -> Paths:
    """Play a few held-out trials with a run's last checkpoint; only what will yet be adapted on is explored in."""
    config, policy, _ = load_policy(folder)
    assert config.toy is not None
    worlds = make_worlds(config, size=ELSEWHERE, seed=0, stream=HELD_OUT)
    assert isinstance(worlds, ToyTrials)
    _, elsewhere = worlds.begin(range(ELSEWHERE))
    rollout = collect_in_waves(worlds, policy, list(range(tasks)), 0, HELD_OUT, explore=False)
    return Paths.of(config.toy.name, rollout, worlds.episode_steps, elsewhere, together)


def visited(paths: Paths, radius: float) -> np.ndarray:
    """Return the share `[tasks]` of all places with goals to which the attempts of the first panel came so near."""
    goals = np.unique(PLANES[paths.toy].goals(paths.elsewhere), axis=0)
    places = paths.places[:, : paths.together].reshape(len(paths.places), -1, 1, 2)
    near: np.ndarray = (np.linalg.norm(places - goals, axis=-1) < radius).any(1)
    return near.mean(-1)


def draw_paths(path: Path, paths: Paths) -> None:
    """Write the picture: a row for each task, a column for each attempt, or for those between two adaptations.

    A single column lays its tasks in a row. Colour runs from the first step of an attempt (dark) to its last (light).
    """
    tasks, attempts = len(paths.returns), paths.returns.shape[1] // paths.together
    rows, columns = (1, tasks) if attempts == 1 else (tasks, attempts)
    size = (1.8 * columns, 1.95 * rows)
    figure, panels = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    reach = _reach(paths)
    for axes, (task, attempt) in zip(panels.flat, np.ndindex(tasks, attempts), strict=True):
        _draw_one(axes, paths, task, attempt)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        shown = slice(attempt * paths.together, (attempt + 1) * paths.together)
        when = f"attempt {attempt + 1}" if paths.together == 1 else f"adapted {attempt} times"
        axes.set_title(f"task {task + 1}, {when}: {paths.returns[task, shown].mean():.3g}", fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _reach(paths: Paths) -> float:
    """Return the largest coordinate shown: all goals and paths, but no path further than twice the goals."""
    goals = np.abs(PLANES[paths.toy].goals(paths.elsewhere)).max()
    return float(1.15 * np.clip(np.abs(paths.places).max(), goals, 2 * goals))


def _draw_one(axes: Axes, paths: Paths, task: int, attempt: int) -> None:
    plane = PLANES[paths.toy]
    (goal,) = plane.goals(paths.context[task][None])
    axes.plot(*plane.goals(paths.elsewhere).T, ".", color="#d5d8dd", ms=3, zorder=0)
    axes.add_patch(plt.Circle(goal, plane.radius, color="#c43c4e", alpha=0.25, lw=0))
    axes.plot(*goal, "*", color="#c43c4e", ms=8)
    if plane.drifts:
        axes.quiver(*-goal, *paths.context[task], color="#2a6fb0", scale=4, width=0.015)
    for places in paths.places[task, attempt * paths.together : (attempt + 1) * paths.together]:
        x, y = places.T
        axes.plot(x, y, color="#8a8f98", lw=0.6 / paths.together**0.5)
        axes.scatter(x, y, c=np.arange(len(places)), cmap="viridis", s=5 / paths.together**0.5, zorder=2)
