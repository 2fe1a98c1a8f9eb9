"""A rule that says nothing is SGD, one that speaks is not; it remembers each weight's gradients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from sdk.algos.learned_optimizer import LearnedRule, features
from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def pair(**changes: Any) -> tuple[Any, Any]:
    """MAML and the learned rule, from the same weights."""
    maml, ours = learner("maml", **changes), learner("learned_optimizer", **changes)
    ours.policy.load_state_dict(maml.policy.state_dict(), strict=False)
    return maml, ours


@pytest.mark.parametrize("first_order", [False, True])
def test_a_silent_rule_is_sgd_to_the_bit_and_so_is_its_meta_gradient(first_order: bool) -> None:
    maml, ours = pair(first_order=first_order)
    seen = [rollout(of.policy) for of in (maml, ours)]
    assert torch.equal(seen[0].action, seen[1].action)
    trials = [of.trials(rows)[0] for of, rows in zip((maml, ours), seen, strict=True)]
    after = [of.adapted(batch)[-1] for of, batch in zip((maml, ours), trials, strict=True)]
    assert torch.equal(after[0], after[1][:, : ours.policy.weights])
    found, shared = gradient(ours, trials[1]), gradient(maml, trials[0])
    names = [name for name, _ in ours.policy.named_parameters()]
    parts = dict(zip(names, found.split([p.numel() for p in ours.parameters]), strict=True))
    assert torch.equal(torch.cat([g for name, g in parts.items() if not name.startswith("learned")]), shared)
    assert parts["learned.readout"].abs().max() > 1e-7  # it will not stay silent


def speaking(**changes: Any) -> Any:
    _, of = pair(**changes)
    torch.nn.init.normal_(of.policy.learned.readout, generator=torch.Generator().manual_seed(0))
    return of


def test_it_treats_every_weight_alike() -> None:
    rule = LearnedRule(3)
    torch.nn.init.normal_(rule.readout)
    slope, order = torch.randn(2, 7), torch.randperm(7)
    reward = torch.tensor([0.3, -2.0])
    said = rule(features(slope, reward), torch.zeros(2, 7, 3))
    other = rule(features(slope[:, order], reward), torch.zeros(2, 7, 3))
    for permuted, straight in zip(other, said, strict=True):
        torch.testing.assert_close(permuted, straight[:, order])


def test_a_rule_may_lengthen_steps_up_to_what_a_robot_accepts() -> None:
    """A readout that says "as long as may be" lengthens a plain step by e², and a long one to the declared bound."""
    maml, of = pair()
    policy, (batch, _) = of.policy, of.cut(rollout(of.policy))
    plain = maml.policy.adapted_by(batch, maml.policy.blank(8))
    policy.learned.new.bias.data.fill_(20.0)  # what is new in every memory is 1
    policy.learned.readout.data[:, 0] = 20.0
    longer = policy.adapted_by(batch, policy.blank(8))[:, : policy.weights]
    longest = step_norm(policy)
    expected = math.e**2 * plain
    expected = expected * (longest / expected.norm(dim=-1, keepdim=True)).clamp(max=1.0)
    torch.testing.assert_close(longer, expected, rtol=0.01, atol=1e-6)
    policy.rule = replace(policy.rule, max_norm=1e-3)
    shortest = policy.adapted_by(batch, policy.blank(8))[:, : policy.weights].norm(dim=-1)
    torch.testing.assert_close(shortest, torch.full((8,), step_norm(policy)), rtol=0.02, atol=0)


def step_norm(policy: Any) -> float:
    policy.reward_range.copy_(torch.tensor([0.0, 1.0]))
    return policy.adaptation.step_norm


def test_what_it_reads_is_not_differentiated_and_is_finite_without_a_gradient() -> None:
    slope = torch.tensor([[0.0, 1e-30, -2.0]], requires_grad=True)
    x = features(slope, torch.zeros(1))
    assert not x.requires_grad
    assert torch.isfinite(x).all()
    assert x[0, 0, :2].tolist() == pytest.approx([-1, 0])
    assert x[0, 2, :2].tolist() == pytest.approx([math.log(2) / 7, -1])


def test_what_it_reads_changes_little_by_rounding_alone() -> None:
    """Sign and logarithm of a gradient that is nothing but rounding would be anything."""
    slope = 1e-3 * torch.randn(1, 1000, generator=torch.Generator().manual_seed(0))
    slope[0, :500] = 0
    other = slope + 1e-9 * torch.randn(1, 1000, generator=torch.Generator().manual_seed(1))
    apart = (features(slope, torch.zeros(1)) - features(other, torch.zeros(1))).abs().max()
    assert apart < 1e-5


def test_the_second_update_depends_on_the_first_gradient() -> None:
    of = speaking()
    policy, seen = of.policy, rollout(of.policy)
    trials, after = of.trials(seen)
    forgetful = after.clone()
    forgetful[:, policy.weights :] = 0
    remembered, forgot = (policy.adapted_by(trials.query, x)[:, : policy.weights] for x in (after, forgetful))
    assert (remembered - forgot).abs().max() > 1e-5


def test_what_a_robot_carries_is_what_the_learner_does() -> None:
    of = speaking(inner_max_norm=0.1)
    policy, seen = of.policy, rollout(of.policy)
    (batch, _) = of.cut(seen)
    weights, memory = policy.adapt(tuple(batch)[:5], policy.initial_carry(8))
    assert torch.equal(torch.cat([weights, memory], -1), policy.adapted_by(batch, policy.blank(8)))
    assert weights.norm(dim=-1).max() <= step_norm(policy)
    heads = [
        policy.step(batch.obs[0], *[torch.zeros(8, 1)] * 3, carry)[0]
        for carry in ((weights, memory), (weights, -memory))
    ]
    assert torch.equal(heads[0], heads[1])
