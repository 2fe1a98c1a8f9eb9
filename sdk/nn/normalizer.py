"""A running observation normaliser that lives inside the policy, so that it can never be left behind."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Standardise the last dimension by running mean and variance, clipped to ±`clip`.

    The last `unamplified` numbers are never made larger: they are divided by their spread only where it exceeds 1.
    """

    mean: Tensor
    var: Tensor
    count: Tensor
    least: Tensor

    def __init__(self, size: int, clip: float = 10.0, unamplified: int = 0) -> None:
        super().__init__()
        self.clip = clip
        least = (torch.arange(size) >= size - unamplified).float()
        self.register_buffer("least", least, persistent=False)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("var", torch.ones(size))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        spread = torch.sqrt(torch.maximum(self.var, self.least) + 1e-6)
        return ((x - self.mean) / spread).clamp(-self.clip, self.clip)

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Merge the moments of a batch `[…, size]` (Chan's parallel formula, in double precision)."""
        batch = x.reshape(-1, x.shape[-1]).double()
        n, total = len(batch), float(self.count) + len(batch)
        delta = batch.mean(0) - self.mean
        m2 = self.var * self.count + batch.var(0, correction=0) * n + delta**2 * float(self.count) * n / total
        self.mean.copy_(self.mean + delta * n / total)
        self.var.copy_(m2 / total)
        self.count.fill_(total)
