"""Task inference: a belief about the true context, whose gradient goes where, and no context in what leaves."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.algos.task_inference import TaskInference, context_log_prob
from sdk.nn.beliefs import Belief
from sdk.rl.ppo import PpoConfig
from sdk.rl.rollout import Rollout, collect
from tests.sdk.forgetful import ForgetfulGru
from tests.sdk.toy_worlds import Recall, TwoArms
from tests.sdk.untrained import learner_of, untrained

SIZES, TRIALS = Sizes(obs=2, action=1, context=1, reads_reward=True), 4


def used() -> Any:
    policy = untrained("task_inference", SIZES, hidden=(8,), memory=6)
    nn.init.orthogonal_(policy.actor_critic.actor[-1].weight)
    policy.encoder.normalizer.update(torch.randn(20, 2) * 3 + 1)
    return policy


def made(policy: Any, **method: Any) -> TaskInference:
    learner = learner_of("task_inference", policy, PpoConfig(bptt=1, minibatches=2), **method)
    assert isinstance(learner, TaskInference)
    return learner


def played(policy: Any) -> Rollout:
    return collect(TwoArms(TRIALS), policy, list(range(TRIALS)), seed=0, stream="train")


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_the_log_likelihood_of_a_context_is_that_of_the_reference_implementation() -> None:
    belief, context = Belief(torch.randn(3, 4, 2), torch.randn(3, 4, 2)), torch.randn(3, 4, 2)
    normal = torch.distributions.Normal(belief.mean, (0.5 * belief.log_var).exp())
    torch.testing.assert_close(context_log_prob(belief, context), normal.log_prob(context).sum(-1))


def test_the_belief_learns_from_contexts_alone_and_the_actor_critic_from_rewards_alone() -> None:
    policy = used()
    learner, rollout = made(policy), played(policy)
    encoder, actor_critic = flat(policy.encoder), flat(policy.actor_critic)
    learner.model.descend(rollout, np.random.default_rng(0))
    assert torch.equal(flat(policy.actor_critic), actor_critic)
    assert not torch.equal(flat(policy.encoder), encoder)
    policy.zero_grad(set_to_none=True)
    head, value, _ = policy.unroll(rollout, policy.initial_carry(TRIALS))
    (head.sum() + value.sum()).backward()
    assert all(p.grad is None for p in policy.encoder.parameters())


def test_what_acts_never_reads_the_true_context() -> None:
    policy = used()
    rollout = played(policy)
    other = copy.copy(rollout)
    other.context = rollout.context + 1
    blank = policy.initial_carry(TRIALS)
    assert torch.equal(policy.unroll(rollout, blank)[0], policy.unroll(other, blank)[0])


def missed_of_the_context(wiped: bool) -> float:
    """Return by how much beliefs miss the context, ±1, three steps after it was shown."""
    policy = untrained("task_inference", Sizes(1, 1, 1, reads_reward=False), hidden=(16,), memory=16)
    if wiped:
        policy.encoder.memory.__class__ = ForgetfulGru
    learner = made(policy, lr=2e-2)
    rollout = collect(Recall(100), policy, list(range(100)), seed=0, stream="train")
    rng = np.random.default_rng(0)
    return [learner.model.descend(rollout, rng)["context_error"] for _ in range(40)][-1]


def test_a_belief_keeps_what_only_its_memory_can_tell() -> None:
    assert missed_of_the_context(wiped=False) < 0.3
    assert missed_of_the_context(wiped=True) > 0.7


def test_an_update_tells_what_is_known_of_contexts() -> None:
    policy = used()
    row = made(policy).update(played(policy), 0, 0.0)
    assert {"context_log_prob", "context_error", "policy_loss"} <= row.keys()
    assert np.isfinite(list(row.values())).all()


def test_where_nothing_is_hidden_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is hidden here"):
        untrained("task_inference", Sizes(2, 1, 0, reads_reward=True))
