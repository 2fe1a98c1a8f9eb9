"""A classification whose nuisance is another in the target: everything about it is known in closed form.

y = ±1; x1 = y + N(0, 1) in both domains. x2 = 1.5 y + N(0, 1) in the source, 3 + N(0, 1) in the target.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdk.invariance.adversarial import Adversary, grown, linear_r2
from sdk.nn.layers import mlp

BATCH, STEPS = 256, 2500
CAUSAL, BAYES, SOURCE_ONLY = 0.841, 0.964, 0.512


def rows(count: int, target: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Observations `[count, 2]` and labels 0 or 1."""
    label = torch.randint(0, 2, (count,), generator=generator).float()
    sign = 2 * label - 1
    noise = torch.randn(count, 2, generator=generator)
    nuisance = torch.full_like(sign, 3.0) if target else 1.5 * sign
    return torch.stack([sign, nuisance], -1) + noise, label


def trained(
    adversary: Adversary | None, largest: float, seed: int, steps: int = STEPS, lr: float = 1e-2
) -> tuple[nn.Module, nn.Module]:
    """Encoder and classifier trained on labels of the source, and the target's observations without labels.

    `lr` is the discriminator's step size.

    One feature: beside a second one that the classifier does without, the domain could be told from that.
    """
    torch.manual_seed(seed)
    encoder, classifier = mlp([2, 16, 1]), mlp([1, 1])
    optimizers = [torch.optim.Adam([*encoder.parameters(), *classifier.parameters()], 2e-3)]
    if adversary is not None:
        optimizers.append(torch.optim.Adam(adversary.parameters(), lr))
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        (here, label), (there, _) = (rows(BATCH, target, generator) for target in (False, True))
        seen = encoder(here)
        loss = functional.binary_cross_entropy_with_logits(classifier(seen).squeeze(-1), label)
        if adversary is not None:
            loss = loss + adversary.loss(seen, encoder(there), grown(step / steps, largest))
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return encoder, classifier


def accuracy(encoder: Callable[[Tensor], Tensor], classifier: Callable[[Tensor], Tensor], target: bool) -> float:
    """Share of 20,000 fresh rows whose label is known."""
    x, label = rows(20_000, target, torch.Generator().manual_seed(99))
    return float(((classifier(encoder(x)).squeeze(-1) > 0) == (label > 0.5)).float().mean())


def context_r2(given_all: bool, seed: int, steps: int = 1500, largest: float = 3.0) -> float:
    """R² of the dynamics parameter in a context, after training beside an adversary on nuisance features.

    The parameter is larger in the target: uniform in [-1, 1] there, in [-2, 0] in the source. The context is learnt
    from three noisy readings, by foretelling the parameter's effect in the source. With `given_all` the adversary
    reads the context too, which it must not.
    """
    torch.manual_seed(seed)
    nuisance, context, outcome = mlp([2, 16, 1]), mlp([3, 16, 2]), mlp([2, 1])
    adversary = Adversary(3 if given_all else 1, (32, 32))
    optimizers = [
        torch.optim.Adam([*nuisance.parameters(), *context.parameters(), *outcome.parameters()], 2e-3),
        torch.optim.Adam(adversary.parameters(), 1e-2),
    ]
    generator = torch.Generator().manual_seed(seed)

    def world(target: bool, count: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
        parameter = 2 * torch.rand(count, generator=generator) - (1.0 if target else 2.0)
        readings = parameter[:, None] + 0.1 * torch.randn(count, 3, generator=generator)
        return rows(count, target, generator)[0], readings, parameter

    def features(seen: Tensor, readings: Tensor) -> Tensor:
        return torch.cat([nuisance(seen), context(readings)], -1) if given_all else nuisance(seen)

    for step in range(steps):
        (here, past, parameter), (there, past_there, _) = world(False), world(True)
        loss = functional.mse_loss(outcome(context(past)).squeeze(-1), parameter)
        loss = loss + adversary.loss(features(here, past), features(there, past_there), grown(step / steps, largest))
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    both = [world(target, 2000) for target in (False, True)]
    readings, parameters = (torch.cat([one[i] for one in both]) for i in (1, 2))
    order = torch.randperm(len(parameters), generator=generator)
    return linear_r2(context(readings[order]), parameters[order])
