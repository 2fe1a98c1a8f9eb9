"""Linear models of one motion: the world's own, learned while it moves, and those of worlds of training.

A common model foretells how signals change; what it leaves unexplained, y, the world's own model explains as y ≈ φᵀθ.
Its belief over θ is that of a Kalman filter whose θ drifts back to 0 (an Ornstein-Uhlenbeck process): it forgets over
`FORGET` steps and never knows less than at first. The models of K training worlds, θ₁ … θ_K, were fitted beforehand.
If one of them explains the motion about as well as the world's own, the world may be one of training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.rl.rollout import Carry

FORGET = 300.0
"""Steps over which models and sums look back."""

PRIOR = 10.0
"""Variance of θ before anything was seen, in units of the noise."""

SHARES = (0.03, 0.1, 0.3)
"""How far off a training world's model may be for nothing: these shares of what the own model explains. A bank of
worlds is never dense, and livelier worlds lie farther apart."""

PATIENT, START = 100.0, 1.0
"""Steps over which effort is averaged; the sums of squares that all models begin with."""


def kalman_step(own: Tensor, learned: Tensor, phi: Tensor, y: Tensor, live: Tensor) -> tuple[Tensor, ...]:
    """Return the next `own` `[…, F, O]` and `learned` `[…, F, F]`, the error `[…, O]` and what `own` foretold `[…, O]`.

    `learned` is how much variance θ has lost, PRIOR · I − P; `phi` `[…, F]`, `y` `[…, O]`. The error is in units of its
    own deviation, that of the noise being 1. Where `live` `[…, 1]` is 0 nothing is learned.
    """
    rho = 1 - 1 / FORGET
    own, learned = rho * own, rho**2 * learned
    v = PRIOR * phi - (learned @ phi[..., None])[..., 0]
    variance = 1 + (phi * v).sum(-1, keepdim=True)
    foretold = (phi[..., None, :] @ own)[..., 0, :]
    error, gain = y - foretold, live * v / variance
    own = own + gain[..., None] * error[..., None, :]
    learned = learned + gain[..., None] * v[..., None, :]
    return own, learned, error / variance.sqrt(), foretold


class WorldModels(nn.Module):
    """What is left unexplained by the world's own model, and by those in `bank` `[H, K, F, O]`, over H horizons.

    Its memory: the own model, what has been learned of it, sums of squares `[H, O]` of its errors and of what it
    foretold, sums `[H, K, O]` of the others' errors, how much was commanded, and how full the memory is.
    """

    bank: Tensor

    def __init__(self, bank: Tensor) -> None:
        super().__init__()
        self.horizons, self.worlds, self.causes, self.signals = bank.shape
        self.register_buffer("bank", bank.transpose(1, 2).flatten(2).contiguous())  # [H, F, K·O]

    @property
    def carry_spec(self) -> tuple[CarryState, ...]:
        """What is remembered."""
        h, f, o = self.horizons, self.causes, self.signals
        shapes = {"own": (h, f, o), "learned": (h, f, f), "left": (h, o), "foretold": (h, o)}
        shapes |= {"others": (h, self.worlds, o)}
        starts = dict.fromkeys(("left", "others"), START)
        shapes |= {"effort": (1,), "seen": (1,)}
        return tuple(
            CarryState(name=name, shape=shape, initial=starts.get(name, 0.0)) for name, shape in shapes.items()
        )

    @property
    def clues(self) -> int:
        """Numbers that `step` returns of each world."""
        return len(SHARES) + 3 * self.horizons * self.signals + 2

    def step(
        self, phi: Tensor, y: Tensor, live: Tensor, action: Tensor, carry: Carry, apart: Tensor | None = None
    ) -> tuple[Tensor, Carry]:
        """Return clues `[N, C]` about where the world lies, after one more step, and what to remember.

        `phi` `[N, H, F]`, `y` `[N, H, O]`, `live` `[N, H, 1]`, the last command `[N, A]`. `apart` `[N, K]` is large
        where a world must not be compared with one of the bank: with itself.
        """
        own, learned, left, foretold, others, effort, seen = carry
        own, learned, error, said = kalman_step(own, learned, phi, y, live)
        wrong = y[:, :, None] - (phi[:, :, None] @ self.bank).unflatten(-1, (self.worlds, self.signals))[:, :, 0]
        keep = 1 - live / FORGET
        left, foretold = keep * left + live * error**2, keep * foretold + live * said**2
        others = keep[..., None] * others + live[..., None] * wrong**2
        effort = effort + ((action**2).mean(-1, keepdim=True) - effort) / PATIENT
        seen = seen + (1 - seen) / FORGET
        told = (*self._ratios(left, foretold, others, apart), (foretold / left).log1p(), left.log())
        clues = torch.cat([*(x.flatten(1) for x in told), (effort + 1e-4).log(), seen], -1)
        return clues, (own, learned, left, foretold, others, effort, seen)

    def _ratios(self, left: Tensor, foretold: Tensor, others: Tensor, apart: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return ln(what the nearest world leaves unexplained / what the own model does).

        First its mean `[N, 3]`, by share, then each signal's `[N, H, O]` for the middle share.
        """
        nearest, each = [], others[:, :, 0]
        for i, share in enumerate(SHARES):
            free = share * foretold
            ratios = ((others + free[:, :, None]) / (left + free)[:, :, None]).log()
            mean = ratios.mean((1, 3)) if apart is None else ratios.mean((1, 3)) + apart
            best, index = mean.min(-1, keepdim=True)
            nearest.append(best)
            if i == 1:
                chosen = index[:, None, :, None].expand(-1, self.horizons, -1, self.signals)
                each = ratios.gather(2, chosen)[:, :, 0]
        return torch.cat(nearest, -1), each
