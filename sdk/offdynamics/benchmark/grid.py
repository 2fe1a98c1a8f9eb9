"""The grid with a wall that only the target has: no training, dynamic programming alone.

Which clip makes the detour worth it, how many target rows tell that the wall is there, and what is left of Δr without
the term of (s, a): the target's rows come from another behaviour than the source's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdk.offdynamics.exact import gridworld as grid
from sdk.results import Row, at_least, measured
from sdk.statistics import mean_ci95

CLIPS = (0.5, 1.0, 2.0, 3.0, 6.0)
SOURCE_ROWS, TARGET_ROWS, CLIP = 20_000, (500, 2000), 6.0
ENOUGH = 0.95
"""Success that corrected plans from the most target rows must reach."""


def grid_rows(seeds: Sequence[int]) -> list[Row]:
    """Return the measured rows: success in the target, by what was known of it."""
    source, target = grid.dynamics(), grid.dynamics(grid.WALL)
    result = [_success("grid/wall/source_only", [_reached(np.zeros_like(source))])]
    result.append(measured("grid/wall/oracle", grid.outcome(target, grid.plan(target, grid.rewards()))[1], "success"))
    for clip in CLIPS:
        exact = grid.delta_reward(source, target, clip)
        result.append(_success(f"grid/wall/exact_clip_{clip:g}", [_reached(exact)]))
    for rows in TARGET_ROWS:
        reached = [_reached(estimated_delta(seed, rows)) for seed in seeds]
        result.append(_success(f"grid/wall/estimated_{rows}_rows", reached, max(TARGET_ROWS) == rows))
    for name, term in (("with", True), ("without", False)):
        ablated = [_reached(estimated_delta(seed, max(TARGET_ROWS), max(TARGET_ROWS), term)) for seed in seeds]
        result.append(_success(f"grid/wall/other_behaviour_{name}_action_term", ablated))
    return result


def estimated_delta(seed: int, rows: int, below: int = 0, action_term: bool = True) -> np.ndarray:
    """Return Δr `[S, A, S]` from counted rows, clipped; without its (s, a) term the ratio is that of joint densities.

    `rows` of the target are uniform, and `below` more of the lower half of the grid, where one stays who cannot pass.
    """
    rng, (source, target) = np.random.default_rng(seed), (grid.dynamics(), grid.dynamics(grid.WALL))
    seen = (source + target) > 0
    here, there = grid.sampled(source, SOURCE_ROWS, rng), grid.sampled(target, rows, rng)
    there += grid.sampled(target, below, rng, np.arange(grid.STATES) >= 5 * grid.WIDTH)
    density = grid.estimated if action_term else _joint
    ratio = _log(density(there, seen)) - _log(density(here, seen))
    return np.clip(np.where(seen, ratio, 0.0), -CLIP, CLIP)


def _joint(counts: np.ndarray, seen: np.ndarray) -> np.ndarray:
    raised = counts + 0.5 * seen
    joint: np.ndarray = raised / raised.sum()
    return joint


def _log(p: np.ndarray) -> np.ndarray:
    logarithm: np.ndarray = np.log(np.maximum(p, 1e-300))
    return logarithm


def _reached(delta: np.ndarray) -> float:
    """Return how often the target's goal is reached by what is planned in the source under a correction."""
    plan = grid.plan(grid.dynamics(), grid.rewards() + delta)
    return grid.outcome(grid.dynamics(grid.WALL), plan)[1]


def _success(name: str, reached: list[float], barred: bool = False) -> Row:
    value = mean_ci95(np.array(reached)) if len(reached) > 1 else reached[0]
    return at_least(name, value, "success", ENOUGH if barred else None)
