"""Two critics of a state and an action, as one network with two sets of weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class TwinCritic(nn.Module):
    """A pair of ReLU networks that read the same and start apart; both are worked out in one product a layer."""

    def __init__(self, inputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in pairwise([inputs, *hidden, 1]):
            pair = [nn.init.orthogonal_(torch.empty(fan_out, fan_in), 2**0.5 if fan_out > 1 else 1.0) for _ in range(2)]
            self.weights.append(nn.Parameter(torch.stack(pair).transpose(1, 2).contiguous()))
            self.biases.append(nn.Parameter(torch.zeros(2, 1, fan_out)))

    def forward(self, x: Tensor) -> Tensor:
        """Return both values `[2, …]` for `x` `[…, inputs]`."""
        y = x.flatten(0, -2).expand(2, -1, -1)
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = torch.baddbmm(bias, y, weight)
            y = y if i == last else torch.relu(y)
        return y.reshape(2, *x.shape[:-1])
