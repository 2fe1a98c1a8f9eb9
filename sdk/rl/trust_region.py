"""Steps as long as a bound on the divergence from the old policy allows (Schulman et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Product = Callable[[Tensor], Tensor]


def conjugate_gradient(product: Product, target: Tensor, iterations: int, tolerance: float = 1e-10) -> Tensor:
    """Return x with `product(x)` ≈ `target`, for a positive definite `product` of vectors (Hestenes, Stiefel 1952)."""
    x, residual = torch.zeros_like(target), target.clone()
    direction, square = residual.clone(), residual.dot(residual)
    for _ in range(iterations):
        if square < tolerance:
            break
        image = product(direction)
        step = square / direction.dot(image)
        x, residual = x + step * direction, residual - step * image
        before, square = square, residual.dot(residual)
        direction = residual + square / before * direction
    return x


def curvature(kl: Tensor, parameters: Sequence[Tensor], damping: float) -> Product:
    """Return v ↦ (∂²kl + `damping`) v for a scalar `kl` whose graph stays in memory.

    Where kl is the divergence from the policy it was computed with, this is the Fisher matrix.
    """
    slope = flat_gradient(kl, parameters, create_graph=True)

    def product(v: Tensor) -> Tensor:
        return flat_gradient(slope @ v, parameters, retain_graph=True) + damping * v

    return product


def longest_step(product: Product, gradient: Tensor, max_kl: float, iterations: int) -> Tensor:
    """Return the step along F⁻¹g whose quadratic divergence ½ sᵀFs is `max_kl` (Schulman 2015, appendix C)."""
    direction = conjugate_gradient(product, gradient, iterations)
    length = direction.dot(product(direction)).clamp(min=1e-12)
    return direction * (2 * max_kl / length).sqrt()


def line_search(
    parameters: Sequence[nn.Parameter],
    step: Tensor,
    evaluate: Callable[[], tuple[float, float]],
    start: tuple[float, float],
    *,
    max_kl: float,
    backtracks: int,
    ratio: float,
) -> tuple[int, tuple[float, float]]:
    """Shorten `step` by `ratio` until the surrogate grows and the divergence is at most `max_kl`; take it.

    `evaluate` returns (surrogate, divergence) at the current parameters, `start` is what it would return before the
    step. Lengths are skipped at which a divergence that grows with their square would still be too large. Returns how
    often the step was shortened, and what was reached. Where `backtracks` lengths would not do, that is their number,
    and the parameters are as they were.
    """
    before, tried = nn.utils.parameters_to_vector(parameters).detach().clone(), 0
    while tried < backtracks:
        nn.utils.vector_to_parameters(before + ratio**tried * step, parameters)
        surrogate, kl = evaluate()
        if surrogate > start[0] and kl <= max_kl:
            return tried, (surrogate, kl)
        tried += max(1, int(math.log(max_kl / kl, ratio) / 2)) if max_kl < kl < math.inf else 1
    nn.utils.vector_to_parameters(before, parameters)
    return backtracks, start


def flat_gradient(
    scalar: Tensor, parameters: Sequence[Tensor], *, create_graph: bool = False, retain_graph: bool = False
) -> Tensor:
    """Return the gradient as one vector; zero for parameters that do not matter."""
    kept = create_graph or retain_graph
    parts = torch.autograd.grad(
        scalar, parameters, create_graph=create_graph, retain_graph=kept, materialize_grads=True
    )
    return torch.cat([part.reshape(-1) for part in parts])
