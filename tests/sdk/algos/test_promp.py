from __future__ import annotations

import torch
from torch import nn

from sdk.rl.surrogates import clipped_ratio, likelihood_ratio
from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def test_a_ratio_pays_no_further_than_the_clip_and_always_costs() -> None:
    log_prob, mask = torch.tensor([[0.0, 1.0, 1.0]]), torch.ones(1, 3)
    advantage = torch.tensor([[2.0, 2.0, -2.0]])
    found = clipped_ratio(log_prob, torch.zeros(1, 3), advantage, 0.3, mask)
    torch.testing.assert_close(found, torch.tensor([2.0, 2.6, -2 * torch.e]))
    free = clipped_ratio(log_prob, torch.zeros(1, 3), advantage, 99.0, mask)
    torch.testing.assert_close(free, likelihood_ratio(log_prob, torch.zeros(1, 3), advantage, mask))


def test_the_gradient_is_the_one_of_finite_differences() -> None:
    """Also away from where the trials were played: the ratio of the inner objective accounts for that."""
    of = learner("promp", inner_kl=0.5, clip=5.0)
    trials, _ = of.trials(rollout(of.policy))
    start = nn.utils.parameters_to_vector(of.parameters).detach()
    start = start + 0.02 * torch.randn(len(start), generator=torch.Generator().manual_seed(0))
    nn.utils.vector_to_parameters(start, of.parameters)
    exact = gradient(of, trials)
    step = 1e-2 * exact / exact.norm()
    values = []
    for sign in (1, -1):
        nn.utils.vector_to_parameters(start + sign * step, of.parameters)
        values.append(float(of.objective(trials)[0].detach()))
    torch.testing.assert_close((values[0] - values[1]) / 2e-2, float(exact.norm()), rtol=0.02, atol=0)


def moved_before_adapting(inner_kl: float) -> float:
    of = learner("promp", inner_kl=inner_kl, lr=3e-3, outer_steps=10)
    seen = rollout(of.policy)
    trials, _ = of.trials(seen)
    of.policy.observe = lambda rollout: None  # a normaliser that moves would move the policy, too
    of.update(seen, 0, 0.0)
    unadapted = torch.zeros(8, of.policy.carry_spec[0].shape[0])
    return float(trials.played[0].kl(of.policy.actions(trials.support[0], unadapted)).mean().detach())


def test_the_penalty_holds_the_policy_before_adapting() -> None:
    assert moved_before_adapting(100.0) < 0.5 * moved_before_adapting(0.0)
