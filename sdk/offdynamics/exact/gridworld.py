"""A 9 × 9 grid with a wall that only the target has: policies and their success by dynamic programming.

From (8, 8) to (0, 8) in 40 steps that cost 0.1 each until the goal is reached. One step in ten goes a direction drawn
from all four. The wall, cells (4, 5) … (4, 8), holds who runs into it.
"""

from __future__ import annotations

import numpy as np

WIDTH, STEPS, SLIP, STEP_REWARD = 9, 40, 0.1, -0.1
START, GOAL = 8 * WIDTH + 8, 8
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
WALL = tuple(4 * WIDTH + column for column in range(5, 9))
STATES, ACTIONS = WIDTH**2, len(MOVES)


def dynamics(wall: tuple[int, ...] = ()) -> np.ndarray:
    """Return p(s′ | s, a) `[S, A, S]`; the goal is never left."""
    cells = np.stack(np.divmod(np.arange(STATES), WIDTH), -1)
    reached = np.clip(cells[:, None] + MOVES, 0, WIDTH - 1) @ [WIDTH, 1]
    reached = np.where(np.isin(reached, wall), np.arange(STATES)[:, None], reached)
    move = np.eye(STATES)[reached]
    p = (1 - SLIP) * move + SLIP * move.mean(1, keepdims=True)
    p[GOAL] = np.eye(STATES)[GOAL]
    return p


def rewards() -> np.ndarray:
    """Return r(s, a, s′) `[S, A, S]`."""
    here = np.where(np.arange(STATES) == GOAL, 0.0, STEP_REWARD)
    return np.broadcast_to(here[:, None, None], (STATES, ACTIONS, STATES))


def plan(p: np.ndarray, reward: np.ndarray, temperature: float = 0.0) -> np.ndarray:
    """Return the best policy `[T, S, A]` for `STEPS` steps; of all those of maximum entropy, at a temperature."""
    value, policy = np.zeros(len(p)), []
    for _ in range(STEPS):
        worth = (p * (reward + value)).sum(-1)
        policy.append(_choice(worth, temperature))
        value = worth.max(-1)
        if temperature:
            value = value + temperature * np.log(np.exp((worth - value[:, None]) / temperature).sum(-1))
    return np.array(policy[::-1])


def _choice(worth: np.ndarray, temperature: float) -> np.ndarray:
    if not temperature:
        return np.eye(worth.shape[-1])[worth.argmax(-1)]
    weight: np.ndarray = np.exp((worth - worth.max(-1, keepdims=True)) / temperature)
    return weight / weight.sum(-1, keepdims=True)


def outcome(p: np.ndarray, policy: np.ndarray) -> tuple[float, float]:
    """Return the mean return of a policy `[T, S, A]` from the start, and the probability that it reaches the goal."""
    here, total = np.eye(len(p))[START], 0.0
    paid = rewards()[:, 0, 0]
    for choice in policy:
        total += float(here @ paid)
        here = np.einsum("s,sa,saj->j", here, choice, p)
    return total, float(here[GOAL])


def delta_reward(source: np.ndarray, target: np.ndarray, clip: float) -> np.ndarray:
    """Return log p_target − log p_source `[S, A, S]`, clipped; 0 where the source never goes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(target) - np.log(source)
    return np.clip(np.where(source > 0, ratio, 0.0), -clip, clip)


def sampled(p: np.ndarray, rows: int, rng: np.random.Generator, among: np.ndarray | None = None) -> np.ndarray:
    """Return how often s′ followed (s, a) `[S, A, S]` in so many rows, (s, a) uniform over states `among` `[S]`."""
    states = np.flatnonzero(np.ones(STATES) if among is None else among)
    state, action = np.divmod(rng.integers(0, len(states) * ACTIONS, rows), ACTIONS)
    state = states[state]
    passed = p[state, action].cumsum(-1) < rng.random((rows, 1))
    counts = np.zeros_like(p)
    np.add.at(counts, (state, action, np.minimum(passed.sum(-1), STATES - 1)), 1)
    return counts


def estimated(counts: np.ndarray, seen: np.ndarray, prior: float = 0.5) -> np.ndarray:
    """Return p(s′ | s, a) from counts with `prior` added to each cell of `seen`; a Δr made of two such is bounded.

    With n rows of (s, a) in the target, that of a transition that only the source has is at least −log(1 + n/prior)
    plus what the source contributes: rows, not training, bound how strongly an impossible transition is told.
    """
    raised = counts + prior * seen
    total: np.ndarray = raised / np.maximum(raised.sum(-1, keepdims=True), 1e-300)
    return total
