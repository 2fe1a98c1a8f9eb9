"""One step of adaptation by gradient: of many tasks at once, differentiable, and traceable into a graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


def gradient_step(
    loss: Loss, adapted: Tensor, step_size: Tensor | float, *, max_norm: float, first_order: bool = False
) -> Tensor:
    """Return `adapted` `[N, P]` one step down the gradient of `loss`, of length ≤ `max_norm` (Finn 2017, eq. 1).

    `loss` maps `[N, P]` to `[N]`, each number a function of its own row. `step_size` is one number or one for each of
    P. The result may be differentiated by whatever the loss depends on; with `first_order`, as if the gradient were
    constant (section 5.2).
    """
    slope = torch.func.grad(lambda x: loss(x).sum())(adapted)
    if first_order:
        slope = slope.detach()
    return adapted - step_size * shortened(slope, max_norm)


def shortened(x: Tensor, max_norm: float) -> Tensor:
    """Return the rows of `x` `[N, P]`, those longer than `max_norm` scaled down to it."""
    norm = (x.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    return x * (max_norm / norm).clamp(max=1.0)
