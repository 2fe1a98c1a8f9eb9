"""The baselines that do not learn to adapt: they play and learn unadapted, and adapt as MAML does once trained."""

from __future__ import annotations

import pytest
import torch

from tests.sdk.algos.tiny_meta import learner, rollout


@pytest.mark.parametrize("algo", ["finetune", "maxent_finetune"])
def test_it_adapts_once_it_is_trained_and_not_before(algo: str) -> None:
    of, maml = learner(algo), learner("maml")
    first = maml.trials(rollout(maml.policy))[0].support[0]
    blank = of.policy.initial_carry(8)
    assert torch.equal(of.policy.adapt(first, blank)[0], blank[0])
    of.policy.eval()
    assert torch.equal(of.policy.adapt(first, blank)[0], maml.policy.adapt(first, blank)[0])


def test_it_learns_from_every_episode_unadapted() -> None:
    of = learner("finetune")
    seen = rollout(of.policy)
    trials, last = of.trials(seen)
    assert trials.support == []
    assert torch.equal(last, torch.zeros_like(last))
    assert torch.equal(trials.query.mask.sum(0), torch.tensor([5.0, 6.0]).repeat(4))  # both episodes of each trial
    counted = trials.query.mask > 0
    there = trials.old.log_prob(trials.query.action)[counted]
    torch.testing.assert_close(there, seen.log_prob[: len(counted)][counted])
    assert of.update(seen, 0, 0.0)["surrogate"] > 0


def spread_after(algo: str, **settings: float) -> float:
    of = learner(algo, max_kl=0.05, **settings)
    for iteration in range(3):
        of.update(rollout(of.policy, 30), iteration, 0.0)
    return float(of.policy.log_std.detach().exp().mean())


def test_a_price_on_certainty_keeps_actions_random() -> None:
    assert spread_after("maxent_finetune", entropy_weight=3.0) > 1.2 * spread_after("finetune")
    assert spread_after("maxent_finetune", entropy_weight=0.0) == spread_after("finetune")
