"""GridNavi: the Bayes optimum by exact search over beliefs, the oracle, and posterior sampling in two readings.

Until the goal is found nothing is learned but where it is not, so a strategy is one path that goes on until it meets
the goal; what follows is the shortest way, each episode. A belief is the set of cells already seen. The search keeps,
for each (position, belief), the best value so far, layer by layer, and drops what even the kindest future could not
lift to the best path known:

    value of first meeting goal g at step t of episode e  =  (16 − t) + (episodes after e) · (16 − distance of g)

in units of (1 + 0.1)/21 above a trial that never meets it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.gridnavi import ELSEWHERE, GOALS, MOVES, ON_GOAL, STEPS, WIDTH, GridSettings, GridTrials, moved
from sdk.toys.references.base import Blind, Known, Random, one_hot, play

_CELLS = np.array([(x, y) for x in range(WIDTH) for y in range(WIDTH)])
_DISTANCE = np.abs(_CELLS[:, None] - GOALS[None]).sum(-1)
"""Steps from cell to goal, `[25, 21]`."""

_NEXT = moved(_CELLS[:, None], np.arange(len(MOVES))) @ [WIDTH, 1]
"""Cell behind each move, `[25, 5]`."""

_GOAL_AT = np.full(len(_CELLS), -1)
_GOAL_AT[GOALS @ [WIDTH, 1]] = np.arange(len(GOALS))
_HOME = _DISTANCE[0]

SWAPPED = np.array([0, 2, 1, 4, 3])
"""Each move with x and y exchanged."""


def oracle_return(distance: np.ndarray) -> np.ndarray:
    """Return an episode's best return when the goal is known, for its `distance` from the start."""
    return ON_GOAL * (STEPS + 1 - distance) + ELSEWHERE * (distance - 1)


@dataclass(frozen=True)
class Layer:
    """All (position, belief) that matter after some step, with the best value that leads to each, and from where."""

    cell: np.ndarray
    seen: np.ndarray
    value: np.ndarray
    parent: np.ndarray
    move: np.ndarray

    def keep(self, rows: np.ndarray) -> Layer:
        """Return some of the states."""
        return Layer(self.cell[rows], self.seen[rows], self.value[rows], self.parent[rows], self.move[rows])


def best_path(episodes: int) -> np.ndarray:
    """Return the moves, `[episodes · 15]`, of a path of greatest expected return for a goal not yet found.

    Exact: a beam search finds a path, whose value then bounds the search that drops nothing but what cannot reach it.
    """
    found, _ = _search(episodes, least=0, width=200)
    _, path = _search(episodes, least=found, width=None)
    return path


def _search(episodes: int, least: int, width: int | None) -> tuple[int, np.ndarray]:
    zero = np.zeros(1, dtype=np.int64)
    layers = [Layer(zero, zero, zero, zero, zero)]
    for t in range(episodes * STEPS):
        now = layers[-1]
        if t % STEPS == 0:
            now = Layer(np.zeros_like(now.cell), now.seen, now.value, now.parent, now.move)
        after = _expand(now, t, episodes)
        bound = after.value + _kindest_future(after, t + 1, episodes)
        rows = np.flatnonzero(bound >= least)
        if width is not None:
            rows = rows[np.argsort(-bound[rows], kind="stable")[:width]]
        layers.append(after.keep(rows))
    return _trace(layers)


def _expand(now: Layer, t: int, episodes: int) -> Layer:
    """Return the states behind every move, one of greatest value for each (position, belief)."""
    cell = _NEXT[now.cell].ravel()
    parent = np.repeat(np.arange(len(now.cell)), len(MOVES))
    seen, value = now.seen[parent], now.value[parent]
    goal = _GOAL_AT[cell]
    new = (goal >= 0) & (seen >> np.maximum(goal, 0) & 1 == 0)
    worth = (STEPS - t % STEPS) + (episodes - 1 - t // STEPS) * (STEPS + 1 - _HOME[goal])
    value = value + np.where(new, worth, 0)
    seen = np.where(new, seen | 1 << np.maximum(goal, 0), seen)
    order = np.lexsort((-value, seen * len(_CELLS) + cell))
    key = (seen * len(_CELLS) + cell)[order]
    rows = order[np.r_[True, key[1:] != key[:-1]]]
    return Layer(cell[rows], seen[rows], value[rows], parent[rows], (np.arange(len(cell)) % len(MOVES))[rows])


def _kindest_future(layer: Layer, t: int, episodes: int) -> np.ndarray:
    """Return an upper bound on the value still to come: as if all unseen goals could be walked to at once."""
    here, left = t // STEPS, STEPS - t % STEPS
    later = (episodes - 1 - here) * (STEPS + 1 - _HOME)
    now = np.maximum(left + 1 - _DISTANCE[layer.cell], 0) + np.where(_DISTANCE[layer.cell] <= left, later, 0)
    afterwards = (STEPS + 1 - _HOME) * max(episodes - 1 - here, 0)
    unseen = layer.seen[:, None] >> np.arange(len(GOALS)) & 1 == 0
    return (np.maximum(now, afterwards) * unseen).sum(-1)


def _trace(layers: list[Layer]) -> tuple[int, np.ndarray]:
    row = int(layers[-1].value.argmax())
    value, path = int(layers[-1].value[row]), []
    for layer in layers[:0:-1]:
        path.append(int(layer.move[row]))
        row = int(layer.parent[row])
    return value, np.array(path[::-1])


class _Seeking(Blind):
    """Keeps which goals are still possible, `[N, 21]`."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        self.possible = np.ones((len(worlds.obs()), len(GOALS)), dtype=bool)

    def learn(self, step: TrialStep) -> None:
        here = (cells(step.final_obs)[:, None] == GOALS).all(-1)
        self.possible = np.where(step.reward[:, None] > 0, here, self.possible & ~here)

    def found(self) -> np.ndarray:
        """Return where only one goal is left, `[N]`."""
        return self.possible.sum(-1) == 1


class Follow(_Seeking):
    """Follow a path until it meets the goal; from then on take the shortest way."""

    def __init__(self, path: np.ndarray) -> None:
        self._path = path

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        home = walk(cells(obs), GOALS[self.possible.argmax(-1)])
        return one_hot(np.where(self.found(), home, self._path[self.worlds.t]), len(MOVES))


class PosteriorSampling(_Seeking):
    """Walk to a goal drawn from the posterior: one each episode, or with `again`, another on arrival.

    Of the two axes that are left to walk a coin decides; a goal met on the way is not left again.
    """

    def __init__(self, again: bool, seed: int = 0) -> None:
        self._again, self._rng = again, np.random.default_rng(seed)

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        if episode_start:
            self._goal = self._draw()
        elif self._again:
            ruled_out = ~self.possible[np.arange(len(obs)), self._goal]
            self._goal = np.where(ruled_out, self._draw(), self._goal)
        self._goal = np.where(self.found(), self.possible.argmax(-1), self._goal)
        cell, goal = cells(obs), GOALS[self._goal]
        other = SWAPPED[walk(cell[:, ::-1], goal[:, ::-1])]
        coin = self._rng.random(len(obs)) < 0.5
        return one_hot(np.where(coin, walk(cell, goal), other), len(MOVES))

    def _draw(self) -> np.ndarray:
        return (self._rng.random(self.possible.shape) * self.possible).argmax(-1)


def cells(obs: np.ndarray) -> np.ndarray:
    """Return the cells `[N, 2]` that observations stand for."""
    return np.rint(2 * (obs + 1)).astype(np.int64)


def walk(cell: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return the next move `[N]` of a shortest way, first along x; 0 on arrival."""
    dx, dy = (goal - cell).T
    return np.select([dx > 0, dx < 0, dy > 0, dy < 0], [2, 4, 1, 3], 0)


def bayes_optimal(episodes: int = 4) -> Known:
    """Return the greatest expected return, by playing the best path against each of the 21 goals."""
    worlds = EveryGoal(GridSettings(episodes=episodes), len(GOALS), seed=0)
    return Known(tuple(play(worlds, Follow(best_path(episodes)), range(len(GOALS))).mean(0).tolist()))


class EveryGoal(GridTrials):
    """Grids whose goals are all possible ones, in order."""

    def draw(self, keys: object) -> np.ndarray:
        self.goal = GOALS
        return self.goal / 2 - 1


def references(settings: GridSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return the exact Bayes optimum and oracle, posterior sampling in both readings, and random play."""
    worlds = GridTrials(settings, tasks, seed=seed, stream="references")
    players = {
        "posterior_sampling": PosteriorSampling(again=False, seed=seed),
        "posterior_resampling": PosteriorSampling(again=True, seed=seed),
        "random": Random(seed),
    }
    known = {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
    oracle = Known((float(oracle_return(_HOME).mean()),) * settings.episodes)
    return {"optimal": bayes_optimal(settings.episodes), "oracle": oracle, **known}
