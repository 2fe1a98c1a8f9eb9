"""Recurrent SAC: one memory acting and learning, what follows what, and what only memory can tell."""

from __future__ import annotations

import copy
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sdk.algos.base import Sizes
from sdk.algos.recurrent_sac import RecurrentPolicy, RecurrentSac, readings
from sdk.rl.rollout import Rollout, collect
from tests.sdk.forgetful import ForgetfulGru
from tests.sdk.toy_worlds import Recall, TwoArms, learn, trial_return
from tests.sdk.untrained import learner_of, untrained

SIZES, TRIALS = Sizes(obs=2, action=1, context=1, reads_reward=True), 4


def used() -> RecurrentPolicy:
    policy: RecurrentPolicy = untrained("recurrent_sac", SIZES, hidden=(16,), memory=8, log_std=0.0)
    nn.init.orthogonal_(policy.head.actor[-1].weight)  # type: ignore[arg-type]
    policy.normalizer.update(torch.randn(20, 2) * 3 + 1)
    return policy


def made(policy: RecurrentPolicy, **method: Any) -> RecurrentSac:
    learner = learner_of("recurrent_sac", policy, **{"warm_up": 0, "batch": 6, "updates_per_step": 0.1, **method})
    assert isinstance(learner, RecurrentSac)
    return learner


def played(policy: RecurrentPolicy, explore: bool = True) -> Rollout:
    return collect(TwoArms(TRIALS), policy, list(range(TRIALS)), seed=0, stream="train", explore=explore)


def test_what_learns_over_whole_trials_is_what_acted_step_by_step() -> None:
    policy = used()
    rollout = played(policy, explore=False)
    actions = policy.actions(policy.read(*readings(rollout)))
    torch.testing.assert_close(actions.greedy[:-1], rollout.action)


def test_behind_a_trial_the_true_last_observation_is_read_with_what_was_done_and_paid() -> None:
    rollout = played(used())
    obs, action, reward, start = readings(rollout)
    assert len(obs) == len(rollout.obs) + 1
    assert torch.equal(obs[-1], rollout.final_obs[-1])
    assert torch.equal(action[-1], rollout.action[-1].clamp(-1, 1))
    assert torch.equal(reward[-1, :, 0], rollout.reward[-1])
    rollout.told = rollout.reward - 1  # where another reward is told than training pays
    assert torch.equal(readings(rollout)[2][-1, :, 0], rollout.told[-1])
    assert not start[-1].any()


@pytest.mark.parametrize(("trial_end", "last"), [("bootstrap", [0, 1, 0, 1]), ("terminal", [1, 1, 1, 1])])
def test_inside_a_trial_something_always_follows(trial_end: Literal["bootstrap", "terminal"], last: list[int]) -> None:
    """Even worlds terminate inside the trial, odd ones at its end: only there does it count."""
    rollout = played(used())
    ends = made(used(), trial_end=trial_end).nothing_follows(rollout)
    assert rollout.terminated[:-1].any()
    assert not ends[:-1].any()
    assert ends[-1].tolist() == last


def test_actor_and_critics_learn_through_memories_of_their_own() -> None:
    policy = used()
    learner, rollout = made(policy), played(policy)
    x = policy.read(*readings(rollout))
    known = learner.soft.critic.known(x, torch.cat([rollout.context, rollout.context[-1:]]))
    critic_grads = torch.autograd.grad(known[-1].sum(), list(learner.soft.critic.memory.parameters()))
    actor_grads = torch.autograd.grad(policy.actions(x).mean[-1].sum(), list(policy.memory.parameters()))
    assert all(g.any() for g in (*critic_grads, *actor_grads))
    held = {name: {id(p) for p in group} for name, group in learner.soft._groups.items()}
    assert held["actor"] == {id(p) for m in (policy.memory, policy.head) for p in m.parameters()}
    assert not held["actor"] & held["critic"]
    before = [p.clone() for p in (*policy.memory.parameters(), *learner.soft.critic.memory.parameters())]
    learner.descend(rollout, np.random.default_rng(0))
    after = (*policy.memory.parameters(), *learner.soft.critic.memory.parameters())
    assert not any(map(torch.equal, before, after))


def gap_closed(wiped: bool) -> float:
    policy = untrained("recurrent_sac", Sizes(1, 1, 1, reads_reward=False), hidden=(16,), memory=8, log_std=0.0)
    learner = learner_of(
        "recurrent_sac", policy, lr=1e-2, gamma=0.5, tau=0.05, warm_up=80, updates_per_step=0.12, trial_end="terminal"
    )
    assert isinstance(learner, RecurrentSac)
    if wiped:
        for module in (policy, learner.soft.critic, learner.soft.slow):
            module.memory.__class__ = ForgetfulGru
    learn(Recall(20), learner, iterations=25)
    return 1 - trial_return(Recall(200), policy) / Recall.of_not_knowing


def test_it_recalls_what_only_its_memory_can_tell() -> None:
    assert gap_closed(wiped=False) > 0.8
    assert gap_closed(wiped=True) < 0.1


def test_a_run_goes_on_from_the_trials_it_had() -> None:
    policies = [used(), used()]
    learners = [made(policy) for policy in policies]
    rollout = played(policies[0])
    learners[0].update(rollout, 0, 0.0)
    policies[1].load_state_dict(policies[0].state_dict())
    learners[1].load_state_dict(copy.deepcopy(learners[0].state_dict()))
    assert learners[0].remembers == 1
    learners[1].remember(rollout)
    rows = [learner.update(rollout, 1, 0.5) for learner in learners]
    assert rows[0] == rows[1]
    weights: list[Tensor] = [torch.cat([p.flatten() for p in policy.parameters()]) for policy in policies]
    assert torch.equal(weights[0], weights[1])
