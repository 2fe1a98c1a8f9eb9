from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, OneHotCategorical

from sdk.algos.base import Sizes
from sdk.rl.distributions import Categorical, Gaussian, distribution, exploration_noise
from tests.sdk.untrained import output_layer, untrained, with_discrete_actions

LOGITS = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.0, 5.0]])
MEAN, LOG_STD = torch.tensor([[0.5, -0.2], [1.0, 0.0]]), torch.tensor([-1.0, 0.4])


def noise(count: int, size: int, discrete: bool) -> torch.Tensor:
    return torch.from_numpy(exploration_noise(np.random.default_rng(0), (count, size), discrete))


def test_both_agree_with_the_reference_implementation() -> None:
    gaussian, categorical = Gaussian(MEAN, LOG_STD), Categorical(LOGITS)
    normal, choice = Independent(Normal(MEAN, LOG_STD.exp()), 1), OneHotCategorical(logits=LOGITS)
    action, picked = torch.tensor([[0.1, 0.2], [0.3, -2.0]]), torch.eye(3)[[2, 0]]
    torch.testing.assert_close(gaussian.log_prob(action), normal.log_prob(action))
    torch.testing.assert_close(gaussian.entropy().expand(2), normal.entropy())
    torch.testing.assert_close(categorical.log_prob(picked), choice.log_prob(picked))
    torch.testing.assert_close(categorical.entropy(), choice.entropy())


@pytest.mark.parametrize("actions", [Gaussian(MEAN, LOG_STD), Categorical(LOGITS)])
def test_a_sample_comes_with_the_log_prob_of_itself(actions: Gaussian | Categorical) -> None:
    discrete = isinstance(actions, Categorical)
    action, log_prob = actions.sample(noise(2, 3 if discrete else 2, discrete))
    torch.testing.assert_close(log_prob, actions.log_prob(action))


def test_gumbel_noise_picks_each_action_as_often_as_its_logits_say() -> None:
    count = 40_000
    action, _ = Categorical(LOGITS[:1].expand(count, -1)).sample(noise(count, 3, discrete=True))
    assert set(action.unique().tolist()) == {0.0, 1.0}
    assert (action.sum(-1) == 1).all()
    expected = LOGITS[0].softmax(-1)
    error = (expected * (1 - expected) / count).sqrt()
    assert ((action.mean(0) - expected).abs() < 4 * error).all()


def test_without_noise_both_act_greedily() -> None:
    assert torch.equal(Gaussian(MEAN, LOG_STD).sample(torch.zeros(2, 2))[0], MEAN)
    assert Categorical(LOGITS).sample(torch.zeros(2, 3))[0].argmax(-1).tolist() == [2, 2]


def test_actions_without_a_spread_are_discrete() -> None:
    assert isinstance(distribution(LOGITS, None), Categorical)
    assert isinstance(distribution(MEAN, LOG_STD), Gaussian)


@pytest.mark.parametrize("algo", with_discrete_actions())
def test_discrete_policies_put_out_logits_without_bounds(algo: str) -> None:
    policy = untrained(algo, Sizes(2, 3, 1, reads_reward=True, discrete=True))
    torch.nn.init.constant_(output_layer(policy).bias, 7.0)
    policy.bind_context(torch.zeros(4, 1))
    head, _ = policy.step(
        torch.zeros(4, 2), torch.zeros(4, 3), torch.zeros(4, 1), torch.ones(4, 1), policy.initial_carry(4)
    )
    assert policy.log_std is None
    assert head.min() > 6
