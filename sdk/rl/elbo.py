"""The evidence lower bound of a chain of beliefs, as pure functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from sdk.nn.beliefs import Belief


def gaussian_kl(belief: Belief, prior: Belief) -> Tensor:
    """Return KL(belief ‖ prior) in nats for each dimension, `[…, L]`."""
    log_ratio = belief.log_var - prior.log_var
    return 0.5 * (log_ratio.exp() + (belief.mean - prior.mean) ** 2 / prior.log_var.exp() - 1 - log_ratio)


def chain_kl(beliefs: Belief) -> Tensor:
    """Return KL(q_t ‖ q_{t−1}) `[T, N, L]` of beliefs `[T, N, L]`, with N(0, I) before the first.

    Gradients reach both beliefs of each pair (Zintgraf 2020, section 3.1).
    """
    before = Belief(*(torch.cat([torch.zeros_like(x[:1]), x[:-1]]) for x in beliefs))
    return gaussian_kl(beliefs, before)


def elbo(log_likelihood: Tensor, kl: Tensor, kl_weight: float = 1.0) -> Tensor:
    """Return the bound of each trial `[N]`, the mean over its beliefs (Zintgraf 2020, sections 3.1 and 3.2).

    `log_likelihood` `[B, T, N]` is that of all T steps, past and future, under a latent of each of B beliefs;
    `kl` `[M, N]` that of each of M beliefs to the one before. B beliefs drawn at random from the M leave the mean
    unbiased.
    """
    return log_likelihood.sum(1).mean(0) - kl_weight * kl.mean(0)
