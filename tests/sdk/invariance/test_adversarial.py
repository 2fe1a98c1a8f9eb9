"""Reversal and confusion: identities, and a nuisance whose ceiling and floor are known in closed form."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor, nn

from sdk.invariance.adversarial import (
    Adversary,
    Kind,
    confusion_loss,
    domain_loss,
    grown,
    linear_r2,
    probe_accuracy,
    reverse,
    standardised,
)
from sdk.nn.layers import mlp
from tests.sdk.invariance.shifted import BAYES, CAUSAL, SOURCE_ONLY, accuracy, context_r2, rows, trained


@pytest.mark.parametrize("scale", [0.0, 0.7, 3.0])
def test_reversal_leaves_values_alone_and_turns_gradients(scale: float) -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    weight = torch.arange(15.0, dtype=torch.float64).reshape(5, 3)
    y = reverse(x, scale)
    assert torch.equal(y, x)
    (found,) = torch.autograd.grad((weight * y**2).sum(), x)
    assert torch.allclose(found, -scale * 2 * weight * x, atol=1e-7)


def test_losses_are_the_cross_entropies_worked_out_by_hand() -> None:
    told = domain_loss(torch.tensor([-log(3.0)]), torch.tensor([log(3.0), log(3.0)]))
    assert float(told) == pytest.approx(log(4 / 3))  # both are known with 3/4
    assert float(confusion_loss(torch.zeros(4), torch.zeros(2))) == pytest.approx(log(2))
    sure = confusion_loss(torch.tensor([log(3.0)]), torch.tensor([log(3.0)]))
    assert float(sure) == pytest.approx(-0.5 * (log(3 / 4) + log(1 / 4)))


def test_what_features_pay_grows_from_nothing() -> None:
    assert grown(0.0, 3.0) == 0.0
    assert grown(0.1, 3.0) == pytest.approx(3 * 0.46211716)
    assert grown(1.0, 3.0) == pytest.approx(3.0, rel=1e-3)


def encoder_gradients(adversary: Adversary | None, scale: float) -> list[Tensor]:
    torch.manual_seed(1)
    encoder, head = mlp([2, 8, 1]), mlp([1, 1])
    generator = torch.Generator().manual_seed(2)
    (here, _), (there, _) = (rows(64, target, generator) for target in (False, True))
    seen = encoder(here)
    loss = head(seen).square().mean()
    if adversary is not None:
        loss = loss + adversary.loss(seen, encoder(there), scale)
    return list(torch.autograd.grad(loss, list(encoder.parameters())))


@pytest.mark.parametrize("kind", ["reversal", "confusion"])
def test_an_adversary_of_no_weight_is_none(kind: Kind) -> None:
    torch.manual_seed(0)
    adversary = Adversary(1, kind=kind)
    plain, with_it = encoder_gradients(None, 0.0), encoder_gradients(adversary, 0.0)
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(plain, with_it, strict=True))
    moved = encoder_gradients(adversary, 100.0)  # an untrained discriminator is nearly confused as it is
    assert not all(torch.allclose(a, b, atol=1e-3) for a, b in zip(plain, moved, strict=True))


def test_confusion_trains_the_discriminator_by_its_own_loss_alone() -> None:
    torch.manual_seed(0)
    adversary = Adversary(2, kind="confusion")
    source, target = torch.randn(8, 2), torch.randn(8, 2)
    logits = adversary.network(standardised(torch.cat([source, target]))).squeeze(-1)
    own = torch.autograd.grad(domain_loss(logits[:8], logits[8:]), list(adversary.parameters()))
    found = torch.autograd.grad(adversary.loss(source, target, 5.0), list(adversary.parameters()))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(own, found, strict=True))


def test_a_fresh_probe_knows_domains_that_differ_and_no_others() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1000, 2, generator=generator) for _ in range(2))
    assert probe_accuracy(a, b + 2.0, seed=0) == pytest.approx(0.92, abs=0.03)  # Φ(√2) for 2 along both axes
    assert probe_accuracy(a, b, seed=0) == pytest.approx(0.5, abs=0.06)


def test_a_line_explains_what_is_linear() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 3, generator=generator)
    noise = torch.randn(2000, generator=generator)
    assert linear_r2(x, x @ torch.tensor([1.0, -2.0, 0.5]) + 3.0) == pytest.approx(1.0, abs=1e-6)
    assert linear_r2(x, x[:, 0] + noise) == pytest.approx(0.5, abs=0.06)
    assert linear_r2(x, noise) < 0.02


def told(encoder: nn.Module) -> float:
    generator = torch.Generator().manual_seed(7)
    here, there = (encoder(rows(4000, target, generator)[0]) for target in (False, True))
    return probe_accuracy(here, there, seed=5)


@pytest.mark.learning
def test_without_an_adversary_the_nuisance_is_believed_and_fails_in_the_target() -> None:
    encoder, classifier = trained(None, 0.0, seed=0)
    assert accuracy(encoder, classifier, target=False) == pytest.approx(BAYES, abs=0.01)
    assert accuracy(encoder, classifier, target=True) == pytest.approx(SOURCE_ONLY, abs=0.03)
    assert told(encoder) > 0.7


@pytest.mark.learning
@pytest.mark.parametrize("seed", [0, 1])
def test_reversal_leaves_the_causal_part_alone_visible(seed: int) -> None:
    torch.manual_seed(seed + 10)
    encoder, classifier = trained(Adversary(1, (32, 32)), 3.0, seed)
    assert 0.80 <= accuracy(encoder, classifier, target=True) <= CAUSAL + 0.01
    assert told(encoder) <= 0.60


@pytest.mark.learning
@pytest.mark.parametrize("seed", [0, 1])
def test_confusion_hides_most_of_the_nuisance_and_does_not_collapse(seed: int) -> None:
    torch.manual_seed(seed + 10)
    encoder, classifier = trained(Adversary(1, (32, 32), kind="confusion"), 2.0, seed, lr=3e-3)
    assert accuracy(encoder, classifier, target=False) > 0.87
    assert accuracy(encoder, classifier, target=True) > SOURCE_ONLY + 0.2
    assert told(encoder) <= 0.62


def test_features_that_shrink_are_no_better_hidden_from_confusion() -> None:
    torch.manual_seed(0)
    adversary = Adversary(2, kind="confusion")
    source, target = torch.randn(64, 2), torch.randn(64, 2) + 1.0
    small = adversary.loss(0.1 * source, 0.1 * target, 1.0)
    torch.testing.assert_close(small, adversary.loss(source, target, 1.0), rtol=0.02, atol=0)


@pytest.mark.learning
def test_the_dynamics_stay_in_the_context_unless_the_adversary_is_given_it() -> None:
    assert context_r2(given_all=False, seed=0) >= 0.9
    assert context_r2(given_all=True, seed=0) < 0.85
