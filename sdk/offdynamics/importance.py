"""Importance weighting: the source's steps count for the critics as often as the target would make them.

    each critic's loss: mean of w (Q − y)²,  w = exp(clip(Δr)) / mean exp(clip(Δr)) over the source's rows of a batch

With w the ratio of the dynamics' densities, the mean of w y over the source's next states is that of y over the
target's, for every (s, a): Bellman's equation of the target, wherever the source can do what the target does. Rewards
stay as they were paid. A baseline of Eysenbach et al. 2021; its ratio is that of DARC's classifiers.

Deviations: ratios are clipped, and weights normalised over a batch, which is biased and has a variance.
"""

from __future__ import annotations

from torch import Tensor


def importance_weights(delta: Tensor, clip: float) -> Tensor:
    """Return weights of mean 1 `[M]` for log-ratios of densities `[M]`, target over source; `clip` in nats."""
    ratio = delta.clamp(-clip, clip).exp()
    return ratio / ratio.mean()


def effective_rows(weight: Tensor) -> float:
    """Return how many equally weighted rows are worth as much as these, (Σ w)² / Σ w²."""
    return float(weight.sum() ** 2 / (weight**2).sum())
