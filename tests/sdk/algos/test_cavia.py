from __future__ import annotations

import torch

from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def test_only_the_context_adapts() -> None:
    of = learner("cavia", context=3)
    policy, seen = of.policy, rollout(of.policy)
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    trials, last = of.trials(seen)
    (adapted,) = policy.adapt(trials.support[0], policy.initial_carry(8))
    torch.testing.assert_close(adapted, last)
    assert adapted.shape == (8, 3)
    assert (adapted.norm(dim=-1) > 1e-3).all()
    assert all(torch.equal(p, before[name]) for name, p in policy.named_parameters())
    heads = [policy.head(trials.query.obs, x) for x in (adapted, torch.zeros_like(adapted))]
    assert (heads[0] - heads[1]).abs().max() > 1e-3


def test_a_context_of_zero_is_where_every_trial_begins_and_is_not_learned() -> None:
    of = learner("cavia")
    of.update(rollout(of.policy), 0, 0.0)
    assert torch.equal(of.policy.initial_carry(2)[0], torch.zeros(2, 2))


def test_how_the_context_is_read_is_learned_through_its_adaptation() -> None:
    """The weights that read φ matter for what φ becomes; with the first-order gradient they matter less."""
    full, short = learner("cavia", inner_lr=10.0), learner("cavia", inner_lr=10.0, first_order=True)
    gradients = []
    for of in (full, short):
        trials, _ = of.trials(rollout(of.policy))
        gradients.append(gradient(of, trials))
    assert (gradients[0] - gradients[1]).norm() > 0.01 * gradients[0].norm()
