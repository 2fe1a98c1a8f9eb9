"""Plain networks and what a policy's head means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(sizes: Sequence[int], last_gain: float = 1.0, activation: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    """Build a network with orthogonal weights; `last_gain` scales the output layer."""
    layers: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        linear = nn.Linear(fan_in, fan_out)
        nn.init.orthogonal_(linear.weight, last_gain if last else 2**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, activation()]
    return nn.Sequential(*layers)


def affine(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return what the layer makes of `x` `[…, inputs]`, written out.

    A gradient through `nn.Linear` itself would fix the number of steps in an adapt graph.
    """
    return x @ layer.weight.T + layer.bias


def spread(action_size: int, log_std: float | None) -> nn.Parameter | None:
    """Return the learned log spread of the actions, or none where they are discrete."""
    return None if log_std is None else nn.Parameter(torch.full((action_size,), log_std))


def head(raw: Tensor, log_std: Tensor | None) -> Tensor:
    """Return the mean action, inside [−1, 1], or logits as they are."""
    return raw if log_std is None else torch.tanh(raw)
