from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from sdk.algos.base import Sizes, algorithm_names
from sdk.nn.layers import mlp
from sdk.nn.normalizer import Normalizer
from sdk.rl.rollout import Carry, Rollout
from tests.sdk.untrained import actor_critics, output_layer, untrained

STEPS, TRIALS, OBS, ACTION, CONTEXT = 5, 3, 4, 2, 2


def used(algo: str, reads_reward: bool = True) -> Any:
    """A policy with a used normaliser, whose actions depend strongly on what it reads."""
    policy = untrained(algo, Sizes(OBS, ACTION, CONTEXT, reads_reward), hidden=(8,), memory=6)
    nn.init.orthogonal_(output_layer(policy).weight)
    for module in policy.modules():
        if isinstance(module, Normalizer):
            module.update(torch.randn(20, len(module.mean)) * 3 + 1)
    return policy


@pytest.fixture
def rollout() -> Rollout:
    generator = torch.Generator().manual_seed(1)
    sizes = {"obs": OBS, "final_obs": OBS, "last_action": ACTION, "action": ACTION, "last_reward": 1}
    sizes |= {"episode_start": 1, "context": CONTEXT}
    names = Rollout.__dataclass_fields__
    parts = {name: torch.randn(STEPS, TRIALS, sizes.get(name, 1), generator=generator) for name in names}
    parts["context"] = parts["context"][:1].expand(STEPS, -1, -1)
    return Rollout(**parts)


def stepped(policy: Any, rollout: Rollout) -> tuple[torch.Tensor, Carry]:
    policy.bind_context(rollout.context[0])
    carry, means = policy.initial_carry(TRIALS), []
    inputs = (rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start)
    for reading in zip(*inputs, strict=True):
        mean, carry = policy.step(*reading, carry)
        means.append(mean)
    return torch.stack(means), carry


@pytest.mark.parametrize("algo", actor_critics())
def test_stepping_equals_unrolling(algo: str, rollout: Rollout) -> None:
    policy = used(algo)
    mean, carry = stepped(policy, rollout)
    unrolled, value, memory = policy.unroll(rollout, policy.initial_carry(TRIALS))
    torch.testing.assert_close(mean, unrolled)
    assert value.shape == (STEPS, TRIALS)
    assert len(carry) == len(policy.carry_spec)
    assert len(memory) == len(carry) or algo == "snail"  # which learns from whole trials only
    for last, every in zip(carry, memory, strict=algo != "snail"):
        torch.testing.assert_close(last, every[-1])


@pytest.mark.parametrize("algo", algorithm_names())
def test_the_carry_has_the_shape_it_declares(algo: str) -> None:
    policy = used(algo)
    shapes = [tuple(state.shape) for state in policy.initial_carry(TRIALS)]
    assert shapes == [(TRIALS, *spec.shape) for spec in policy.carry_spec]


def test_robust_ignores_the_context_and_the_oracle_does_not(rollout: Rollout) -> None:
    for algo, moved in (("robust", False), ("oracle", True)):
        policy = used(algo)
        before, _ = stepped(policy, rollout)
        rollout.context = rollout.context + 1
        after, _ = stepped(policy, rollout)
        assert torch.equal(before, after) is not moved


@pytest.mark.parametrize("informed", [True, False])
def test_only_an_informed_critic_sees_the_context(informed: bool, rollout: Rollout) -> None:
    policy = untrained("rl2", Sizes(OBS, ACTION, CONTEXT, True), hidden=(8,), memory=6, informed_critic=informed)
    carry = policy.initial_carry(TRIALS)
    head, value, _ = policy.unroll(rollout, carry)
    rollout.context = rollout.context + 1
    head_after, value_after, _ = policy.unroll(rollout, carry)
    assert torch.equal(head, head_after)
    assert torch.equal(value, value_after) is not informed


@pytest.mark.parametrize("reads_reward", [True, False])
def test_rl2_reads_the_last_reward_only_where_a_robot_reports_one(reads_reward: bool, rollout: Rollout) -> None:
    policy = used("rl2", reads_reward)
    assert ("last_reward" in policy.inputs) is reads_reward
    before, _ = stepped(policy, rollout)
    rollout.last_reward = rollout.last_reward + 1
    after, _ = stepped(policy, rollout)
    assert torch.equal(before, after) is not reads_reward


@pytest.mark.parametrize("name", ["obs", "last_action", "episode_start"])
def test_rl2_reads_its_other_inputs_through_memory(name: str, rollout: Rollout) -> None:
    policy = used("rl2", reads_reward=False)
    before, _ = stepped(policy, rollout)
    getattr(rollout, name)[0] += 1
    after, _ = stepped(policy, rollout)
    assert not torch.isclose(before[-1], after[-1], rtol=1e-6, atol=1e-7).all()


@pytest.mark.parametrize("algo", ["robust", "oracle"])
def test_a_policy_without_memory_declares_none(algo: str) -> None:
    policy = used(algo)
    assert policy.inputs == ("obs",)
    assert policy.carry_spec == ()


@pytest.mark.parametrize("algo", algorithm_names())
def test_untrained_actions_are_small_and_never_leave_the_range(algo: str, rollout: Rollout) -> None:
    policy = untrained(algo, Sizes(OBS, ACTION, CONTEXT, True))
    mean, _ = stepped(policy, rollout)
    assert 0 < mean.abs().max() < 0.1
    nn.init.constant_(output_layer(policy).bias, 100.0)
    assert stepped(policy, rollout)[0].max() <= 1


def test_mlp_weights_are_orthogonal_with_the_gain_asked_for() -> None:
    network: Any = mlp([4, 8, 2], last_gain=0.01)
    last = network[-1].weight
    torch.testing.assert_close(last @ last.T, 1e-4 * torch.eye(2))
    assert [type(layer) for layer in network] == [nn.Linear, nn.Tanh, nn.Linear]
