"""What the last steps of a trial say of its world: one row a step, and convolutions over a window of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

TAPS = ((8, 4), (5, 1), (5, 1))
"""Kernel and stride of each convolution over 50 steps (Kumar 2021, section 3.2); a shorter window has shorter ones."""


class HistoryEncoder(nn.Module):
    """From the last `window` rows `[M, window, inputs]` to `latent` numbers, by convolutions over time."""

    def __init__(self, inputs: int, window: int, filters: int, latent: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for kernel, stride in TAPS:
            taps = min(kernel, window)
            layers += [nn.Conv1d(filters, filters, taps, stride), nn.ReLU()]
            window = (window - taps) // stride + 1
        self.embed = nn.Linear(inputs, filters)
        self.convolutions = nn.Sequential(*layers)
        self.out = nn.Linear(window * filters, latent)

    def forward(self, windows: Tensor) -> Tensor:
        """Return what they say, `[M, latent]`."""
        over_time = torch.relu(self.embed(windows)).transpose(1, 2)
        told: Tensor = self.out(self.convolutions(over_time).flatten(1))
        return told


def pushed(window: Tensor, row: Tensor) -> Tensor:
    """Return the window `[N, W, R]` after a step whose row `[N, R]` is the newest; the oldest one leaves."""
    return torch.cat([window[:, 1:], row[:, None]], 1)


def windows_at(rows: Tensor, time: Tensor, trial: Tensor, size: int) -> Tensor:
    """Return the window `[M, size, R]` that ends at each of M steps of trials with rows `[T, N, R]`."""
    before = pad(rows, (0, 0, 0, 0, size - 1, 0))
    span = time[:, None] + torch.arange(size)
    return before[span, trial[:, None]]
