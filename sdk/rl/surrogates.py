"""Surrogates of the expected return, whose derivatives estimate its gradient: all to be maximised, all `[N]`.

They differ in what their second derivatives estimate, and so in what a meta-gradient sees. Arguments are `[T, N]`,
`mask` 1 where a step counts.
"""

from __future__ import annotations

from torch import Tensor

from sdk.rl.episodes import Episodes, masked_mean, sum_behind


def policy_gradient(log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of log π · A (Williams 1992): its gradient is right, its Hessian lacks a term."""
    return masked_mean(log_prob * advantage, mask)


def likelihood_ratio(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of π/π_old · A.

    With `old_log_prob` = `log_prob.detach()` it is the low variance curvature estimator (Rothfuss 2019, eq. 7).
    """
    return masked_mean((log_prob - old_log_prob).exp() * advantage, mask)


def dice(log_prob: Tensor, reward: Tensor, baseline: Tensor, gamma: float, episodes: Episodes) -> Tensor:
    """Return the estimator whose derivatives of every order are unbiased (Foerster 2018, eqs. 6 and 7).

    `baseline` `[T, N]` may depend on what was known before a step's action. The sum over time is divided by the number
    of steps that count, as in the other surrogates.
    """
    discount = gamma**episodes.time
    causes = magic_box(sum_behind(log_prob * episodes.mask, episodes))
    return masked_mean(discount * (causes * reward + (1 - magic_box(log_prob)) * baseline), episodes.mask)


def magic_box(x: Tensor) -> Tensor:
    """Return exp(x − ⊥(x)): 1, but with the derivatives of the exponential."""
    return (x - x.detach()).exp()
