"""Features that do not tell simulation from the robot: by gradient reversal, or by domain confusion.

Ganin et al. 2016, "Domain-adversarial training of neural networks", https://arxiv.org/abs/1505.07818
Tzeng et al. 2015, "Simultaneous deep transfer across domains and tasks", https://arxiv.org/abs/1510.02192

    a discriminator D reads features f and says where they come from          `domain_loss`
    reversal: D minimises its loss; f receives −λ times the gradient          `reverse`
    confusion: D minimises its loss; f minimises λ · H(½, D(f)), D held       `confusion_loss`, of `standardised` f
    λ grows from 0 with the progress p: λ · (2 / (1 + exp(−10 p)) − 1)        `grown`
    judge: a classifier trained afresh on features that D never kept          `probe_accuracy`

Only features of nuisance observations (what a sensor shows) may be given to an adversary. Source and target differ in
their dynamics on purpose: features that are to tell the dynamics must not look alike.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from sdk.nn.layers import mlp

Kind = Literal["reversal", "confusion"]

STEEPNESS = 10.0
PROBE_STEPS = 300


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return -ctx.scale * gradients[0], None


def reverse(x: Tensor, scale: float) -> Tensor:
    """Return x, whose gradient will be −`scale` times what arrives."""
    return _Reverse.apply(x, scale)  # type: ignore[no-any-return, no-untyped-call]


def grown(progress: float, largest: float) -> float:
    """Return λ at a share of the training that is over: 0 at first, almost the largest at the end."""
    return largest * (2 / (1 + math.exp(-STEEPNESS * progress)) - 1)


def domain_loss(source: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of logits `[n]` and `[m]` that are to be low for the source, high for the target.

    Both domains weigh the same, however many rows they have.
    """
    return 0.5 * (functional.softplus(source).mean() + functional.softplus(-target).mean())


def confusion_loss(source: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of the logits with ½: log 2, its least, where every logit is 0."""
    return 0.5 * (domain_loss(source, target) + domain_loss(target, source))


def standardised(features: Tensor) -> Tensor:
    """Return features `[n, features]` with mean 0 and standard deviation 1 over the batch."""
    return (features - features.mean(0)) / (features.std(0) + 1e-3)


class Adversary(nn.Module):
    """A discriminator of domains, and what its features pay for being told apart."""

    def __init__(self, features: int, hidden: tuple[int, ...] = (32,), kind: Kind = "reversal") -> None:
        super().__init__()
        self.kind = kind
        self.network = mlp([features, *hidden, 1])

    def loss(self, source: Tensor, target: Tensor, scale: float) -> Tensor:
        """Return the loss that trains the discriminator down and features `[n, features]` against it, by `scale`."""
        both = torch.cat([source, target])
        if self.kind == "reversal":
            return domain_loss(*self._logits(self.network(reverse(both, scale)), len(source)))
        both = standardised(both)  # else the features confuse best by shrinking to nothing
        told = domain_loss(*self._logits(self.network(both.detach()), len(source)))
        held = {name: parameter.detach() for name, parameter in self.network.named_parameters()}
        return told + scale * confusion_loss(*self._logits(functional_call(self.network, held, both), len(source)))

    @staticmethod
    def _logits(raw: Tensor, source: int) -> tuple[Tensor, Tensor]:
        logits = raw.squeeze(-1)
        return logits[:source], logits[source:]


def probe_accuracy(source: Tensor, target: Tensor, seed: int, hidden: tuple[int, ...] = (32,)) -> float:
    """Return how often a fresh classifier knows the domain of rows it was not trained on; ½: the features tell nothing.

    It learns from every other row `[n, features]` of either domain. Torch's random state is left as it was.
    """
    features = source.shape[-1]
    both = torch.cat([source, target]).detach()
    mean, spread = both.mean(0), both.std(0) + 1e-6
    known, unknown = ([((rows.detach() - mean) / spread)[first::2] for rows in (source, target)] for first in (0, 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = mlp([features, *hidden, 1])
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(PROBE_STEPS):
        optimizer.zero_grad()
        domain_loss(*(network(rows).squeeze(-1) for rows in known)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        ours, theirs = (network(rows).squeeze(-1) for rows in unknown)
    return 0.5 * (float((ours < 0).float().mean()) + float((theirs > 0).float().mean()))


def linear_r2(features: Tensor, values: Tensor) -> float:
    """Return the share of the variance of values `[n]` that a line of features `[n, k]` explains on unseen rows."""
    rows = torch.cat([features.detach(), torch.ones(len(features), 1)], -1).double()
    known, wanted = rows[::2], values[::2].double()
    line = torch.linalg.lstsq(known, wanted[:, None]).solution
    left = values[1::2].double() - (rows[1::2] @ line)[:, 0]
    return 1.0 - float(left.var(correction=0) / values[1::2].double().var(correction=0))
