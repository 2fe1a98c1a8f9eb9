"""How long adapting takes: seconds of a trial until a policy earns what it will go on earning.

Rewards differ between moments of an episode and between worlds for reasons that have nothing to do with adapting: a
target has just jumped, a goal is far. So an arm is watched by how far it is *behind the ceiling* in the same worlds at
the same time, and that is held against how far behind it is at the same time of the trial's last episode.
"""

from __future__ import annotations

import numpy as np

WINDOW = 5
"""Slots that are averaged: half a second."""

SHARE = 0.1
"""Of what is to be won, or of what is earned in the end: what may be missing when it counts as reached."""


def settled_after(behind: np.ndarray, allowed: np.ndarray, last: int, start: int = 0) -> np.ndarray:
    """Return how many slots after `start` an arm is settled: `[...]` from `behind` `[..., S]` and `allowed` `[...]`.

    `behind` are the returns that the ceiling earns more in each slot, `last` the slots of an episode. Settled is where
    every window from there on averages no more than `allowed` above the same moments of the last episode. An arm that
    never settles, as where less than nothing is allowed, takes all slots there are.
    """
    slots = behind.shape[-1]
    same_time = slots - last + (np.arange(slots) - slots) % last
    excess = (behind - behind[..., same_time])[..., start:]
    windows = np.lib.stride_tricks.sliding_window_view(excess, min(WINDOW, excess.shape[-1]), axis=-1).mean(-1)
    late = windows > np.asarray(allowed)[..., None]
    first = np.where(late.any(-1), late.shape[-1] - late[..., ::-1].argmax(-1), 0)
    return np.where(late[..., -1], slots - start, first)


def adapted_after(rates: np.ndarray, last: int) -> np.ndarray:
    """Return the slots `[...]` to 90 % of final performance of `rates` `[..., 3, S]`: of floor, arm and ceiling.

    From then on the arm lacks no more than a tenth of what it gains on the floor in the last episode.
    """
    floor, arm, ceiling = np.moveaxis(rates, -2, 0)
    return settled_after(ceiling - arm, SHARE * (arm - floor)[..., -last:].mean(-1), last)


def recovered_after(rates: np.ndarray, last: int, start: int) -> np.ndarray:
    """Return the slots `[...]` from a switch at slot `start` to recovery, of `rates` `[..., 2, S]`: of arm and ceiling.

    From then on the arm lacks no more than a tenth of what it earns in the last episode.
    """
    arm, ceiling = np.moveaxis(rates, -2, 0)
    return settled_after(ceiling - arm, SHARE * np.abs(arm[..., -last:].mean(-1)), last, start)
