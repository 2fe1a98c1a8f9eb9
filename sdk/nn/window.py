"""Attention over a sliding window between dense blocks of dilated causal convolutions: SNAIL (Mishra et al. 2018).

Every layer appends to the features of a step, so the row of a step holds what every layer reads of the past: rows are
the whole memory. A row is `[features | keys and values of each attention | 1]`, and all zeros before the first step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from export.manifest import CarryState
from sdk.nn.memory import Memory
from sdk.rl.rollout import Carry


def delayed(x: Tensor, steps: int) -> Tensor:
    """Return `x` `[T, …]` as it was `steps` ago, zeros before the first."""
    return torch.cat([torch.zeros_like(x[:steps]), x[:-steps]])


def gated(x: Tensor) -> Tensor:
    """Return `tanh(a) · σ(b)` for the halves a and b of the last dimension (Mishra 2018, figure 2)."""
    a, b = x.chunk(2, -1)
    return torch.tanh(a) * torch.sigmoid(b)


def attend(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
    """Return the mean of values `[…, J, V]` weighted by `softmax(q·k / √K)` for queries `[…, I, K]`: `[…, I, V]`.

    `allowed` `[…, I, J]` is 1 where a query may look and 0 elsewhere; each must be allowed one place at least.
    """
    score = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return (score - 1e9 * (1 - allowed)).softmax(-1) @ value


def attend_to_window(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """Let each step attend to itself and the `window` steps before it; queries `[T, N, K]`, values `[T, N, V]`.

    Blocks of `window` queries look at their own block and the one before, so the cost grows with T · window.
    """
    steps, block = len(query), min(window, len(query))
    blocks = -(-steps // block)
    rows = [pad(x.transpose(0, 1), (0, 0, 0, blocks * block - steps)) for x in (query, key, value)]
    q, k, v = (x.unflatten(1, (blocks, block)) for x in rows)
    if blocks > 1:
        k, v = (torch.cat([pad(x, (0, 0, 0, 0, 1, 0))[:, :-1], x], 2) for x in (k, v))
    read = attend(q, k, v, band(blocks, block, window))
    return read.flatten(1, 2)[:, :steps].transpose(0, 1)


def band(blocks: int, block: int, window: int) -> Tensor:
    """Return which of the places of its own block and the one before each query sees, `[blocks, block, places]`."""
    time = torch.arange(blocks * block).view(blocks, block, 1)
    places = torch.arange(-block if blocks > 1 else 0, block)
    at = torch.arange(blocks).view(-1, 1, 1) * block + places
    return ((at >= 0) & (at <= time) & (time - at <= window)).float()


class CausalConvolution(nn.Module):
    """Two taps, one of them `dilation` steps back, and a gate; nothing from the future (Mishra 2018, figure 2)."""

    def __init__(self, inputs: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.now = nn.Linear(inputs, 2 * filters)
        self.past = nn.Linear(inputs, 2 * filters, bias=False)

    def step(self, x: Tensor, past: Tensor) -> Tensor:
        """Return `[N, filters]` for the features `[N, inputs]` of now and of `dilation` steps ago."""
        return gated(self.now(x) + self.past(past))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[T, N, filters]` for the features `[T, N, inputs]` of whole trials."""
        return gated(self.now(x) + delayed(self.past(x), self.dilation))


class Snail(Memory):
    """`blocks` times: convolutions with dilations 1, 2, 4, … below `window`, then attention; it gives all features.

    A step reads the rows of the `window` steps before it, and no others: older steps count by what these kept of them.
    """

    def __init__(self, inputs: int, *, filters: int, key: int, value: int, window: int, blocks: int) -> None:
        super().__init__()
        self.window, self.key, self.value, width = window, key, value, filters
        self.embed = nn.Linear(inputs, filters)
        self.convolutions, self.projections = nn.ModuleList(), nn.ModuleList()
        for _ in range(blocks):
            block = nn.ModuleList()
            for dilation in dilations(window):
                block.append(CausalConvolution(width, filters, dilation))
                width += filters
            self.convolutions.append(block)
            self.projections.append(nn.Linear(width, key + key + value))
            width += value
        self.size = width
        self.carry_spec = (CarryState(name="window", shape=(window, width + blocks * (key + value) + 1)),)

    def step(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Read one step; the oldest row makes room for its own."""
        (rows,) = carry
        features, *known, valid = rows.split([self.size, *[self.key + self.value] * len(self.projections), 1], -1)
        here, stored, one = torch.tanh(self.embed(x)), [], torch.ones_like(valid[:, :1])
        seen = torch.cat([valid, one], 1).transpose(1, 2)
        for block, project, before in zip(self.convolutions, self.projections, known, strict=True):
            for convolution in block:  # type: ignore[attr-defined]
                past = features[:, -convolution.dilation, : here.shape[-1]]
                here = torch.cat([here, convolution.step(here, past)], -1)
            query, pair = project(here)[:, None].split([self.key, self.key + self.value], -1)
            keys, values = torch.cat([before, pair], 1).split([self.key, self.value], -1)
            here = torch.cat([here, attend(query, keys, values, seen)[:, 0]], -1)
            stored.append(pair)
        row = torch.cat([here[:, None], *stored, one], -1)
        return here, (torch.cat([rows[:, 1:], row], 1),)

    def unroll(self, x: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Read whole trials in one pass, from their beginning; returns no carry."""
        features = torch.tanh(self.embed(x))
        for block, project in zip(self.convolutions, self.projections, strict=True):
            for convolution in block:  # type: ignore[attr-defined]
                features = torch.cat([features, convolution(features)], -1)
            query, key, value = project(features).split([self.key, self.key, self.value], -1)
            features = torch.cat([features, attend_to_window(query, key, value, self.window)], -1)
        return features, ()


def dilations(window: int) -> list[int]:
    """Return the powers of two below `window`, from 1."""
    return [2**i for i in range(max(1, (window - 1).bit_length()))]
