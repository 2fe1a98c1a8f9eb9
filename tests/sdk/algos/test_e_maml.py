from __future__ import annotations

import torch

from sdk.algos.e_maml import credit
from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def test_credit_compares_what_tasks_earned_later() -> None:
    of = learner("e_maml")
    query = of.trials(rollout(of.policy))[0].query
    better = query._replace(reward=torch.where(torch.arange(8) == 3, 5.0, query.reward))
    assert credit(query).sum().abs() < 1e-5
    assert credit(better).argmax() == 3
    assert torch.equal(credit(query._replace(reward=torch.ones_like(query.reward))), torch.zeros(8))


def test_without_credit_it_is_maml_and_with_credit_it_is_not() -> None:
    gradients = []
    for algo, settings in (("maml", {}), ("e_maml", {"exploration": 0.0}), ("e_maml", {"exploration": 1.0})):
        of = learner(algo, **settings)
        gradients.append(gradient(of, of.trials(rollout(of.policy))[0]))
    assert torch.equal(gradients[0], gradients[1])
    assert (gradients[2] - gradients[0]).norm() > 0.1 * gradients[0].norm()


def test_credit_makes_what_led_to_a_better_later_return_likelier() -> None:
    of = learner("e_maml", exploration=1e3, inner_lr=1e-6)
    trials, _ = of.trials(rollout(of.policy))
    first = trials.support[0]
    of.parameters[0].grad = None
    gain = gradient(of, trials)
    deserved = credit(trials.query)
    log_prob = of.policy.actions(first, torch.zeros_like(of.adapted(trials)[0])).log_prob(first.action)
    likelier = torch.autograd.grad(
        (deserved * (log_prob * first.mask).sum(0) / first.mask.sum(0)).mean(), of.parameters, materialize_grads=True
    )
    direction = torch.cat([part.flatten() for part in likelier])
    assert torch.cosine_similarity(gain, direction, dim=0) > 0.99
