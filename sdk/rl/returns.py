"""Advantages and returns, with the two endings kept apart."""

from __future__ import annotations

from torch import Tensor, zeros_like


def gae(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    ended: Tensor,
    gamma: float,
    gae_lambda: float,
) -> tuple[Tensor, Tensor]:
    """Return advantages and value targets, both `[T, N]` (Schulman 2016, eq. 16).

    `next_value[t]` is the value of what truly followed step t: the final observation where an episode was cut off.
    `terminated` zeroes it, since nothing follows; `ended` (terminated or truncated) only stops the sum over later
    steps. In a trial, inner episode ends are neither: the next episode follows.
    """
    delta = reward + gamma * next_value * (1 - terminated) - value
    advantage = zeros_like(delta)
    running = zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        running = delta[t] + gamma * gae_lambda * (1 - ended[t]) * running
        advantage[t] = running
    return advantage, advantage + value
