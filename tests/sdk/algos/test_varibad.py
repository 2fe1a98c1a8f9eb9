"""variBAD: whose gradient goes where, what a belief is made of, and runs that repeat."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.algos.varibad import PATIENCE, Varibad
from sdk.checkpoint import METRICS, RunFolder
from sdk.config import TrainConfig, resolve_config
from sdk.rl.distributions import distribution
from sdk.rl.ppo import PpoConfig
from sdk.rl.rollout import Rollout, collect
from sdk.train import Progress, load_policy, train
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import untrained

SIZES, TRIALS = Sizes(obs=2, action=1, context=1, reads_reward=True), 4
GRID = [
    *["toy.name=gridnavi", "toy.settings.episodes=2", "trials=20", "steps=2400", "workers=0", "ppo.epochs=1"],
    *["policy.hidden=[8]", "policy.memory=8", "method.batch_trials=8", "method.buffer_trials=30", "method.waves=1"],
]
"""Four iterations of twenty trials, 30 steps each; the buffer forgets from the second on."""


def used(sizes: Sizes = SIZES) -> Any:
    """A policy with used normalisers, whose actions depend strongly on its belief."""
    policy = untrained("varibad", sizes, hidden=(8,), memory=6)
    nn.init.orthogonal_(policy.actor_critic.actor[-1].weight)
    policy.encoder.normalizer.update(torch.randn(20, sizes.obs) * 3 + 1)
    policy.actor_critic.normalizer.update(torch.randn(20, sizes.obs + 10) / 5)
    return policy


def played(policy: Any) -> Rollout:
    worlds: Any = TwoArms(TRIALS)
    return collect(worlds, policy, list(range(TRIALS)), seed=0, stream="train")


def made(policy: Any, **method: Any) -> Varibad:
    config = TrainConfig(algo="varibad", ppo=PpoConfig(bptt=1, minibatches=2), method=method)
    return Varibad(policy, config)


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


# --- the belief ------------------------------------------------------------------------------------------------------


def test_the_carry_at_the_start_of_a_trial_is_the_prior() -> None:
    policy = used()
    (memory,) = policy.initial_carry(TRIALS)
    belief = policy.encoder.belief(memory)
    assert torch.equal(belief.mean, torch.zeros(TRIALS, 5))
    assert torch.equal(belief.log_var, torch.zeros(TRIALS, 5))


def stepped(policy: Any, rollout: Rollout) -> Tensor:
    carry, heads = policy.initial_carry(TRIALS), []
    for reading in zip(rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start, strict=True):
        head, carry = policy.step(*reading, carry)
        heads.append(head)
    return torch.stack(heads)


@pytest.mark.parametrize("reads_reward", [True, False])
def test_the_last_reward_is_read_only_where_a_robot_reports_one(reads_reward: bool) -> None:
    policy = used(Sizes(2, 1, 1, reads_reward))
    rollout = played(policy)
    before = stepped(policy, rollout)
    rollout.last_reward = rollout.last_reward + 1
    after = stepped(policy, rollout)
    assert ("last_reward" in policy.inputs) is reads_reward
    assert torch.equal(before, after) is not reads_reward


def test_what_acts_reads_mean_and_log_variance_beside_the_observation() -> None:
    policy = used()
    rollout = played(policy)
    informed, (memory,) = policy.informed(rollout, policy.initial_carry(TRIALS))
    belief = policy.encoder.belief(memory)
    assert torch.equal(informed.obs, torch.cat([rollout.obs, belief.mean, belief.log_var], -1))
    assert not informed.obs.requires_grad


# --- whose gradient goes where ---------------------------------------------------------------------------------------


def test_the_policy_s_loss_gives_the_encoder_no_gradient() -> None:
    policy = used()
    head, value, _ = policy.unroll(played(policy), policy.initial_carry(TRIALS))
    (head.sum() + value.sum()).backward()
    assert all(p.grad is None for p in policy.encoder.parameters())
    assert all(p.grad is not None for name, p in policy.actor_critic.named_parameters() if name != "log_std")


def test_the_bound_gives_the_actor_critic_no_gradient() -> None:
    policy = used()
    learner = made(policy)
    bound, _, _ = learner.bound(played(policy), np.random.default_rng(0))
    bound.sum().backward()
    assert all(p.grad is None for p in policy.actor_critic.parameters())
    assert all(p.grad is not None and p.grad.any() for p in learner.model.parameters)


def test_ppo_moves_the_actor_critic_alone() -> None:
    policy = used()
    learner, rollout = made(policy), played(policy)
    encoder, actor_critic = flat(policy.encoder), flat(policy.actor_critic)
    informed, _ = policy.informed(rollout, policy.initial_carry(TRIALS))
    learner.ppo.update(informed, 0, 0.0)
    assert torch.equal(flat(policy.encoder), encoder)
    assert not torch.equal(flat(policy.actor_critic), actor_critic)


@pytest.mark.parametrize("when", [0, 2, 5])
def test_the_belief_at_any_time_foretells_the_whole_trial_past_and_future(when: int) -> None:
    """Also the first: its gradient reaches the encoder through what is paid at the very end."""
    policy = used()
    learner, rollout = made(policy), played(policy)
    beliefs, _ = policy.encoder.unroll(rollout, policy.initial_carry(TRIALS))
    log_likelihood = learner.decoder.log_likelihood(beliefs.mean[when : when + 1], rollout)
    for step in range(len(rollout.reward)):
        grad = torch.autograd.grad(log_likelihood[0, step].sum(), beliefs.mean, retain_graph=True)[0]
        assert [bool(g.any()) for g in grad] == [t == when for t in range(len(grad))]


def test_the_bound_from_a_few_beliefs_is_that_from_all_on_average() -> None:
    policy = used()
    all_terms, one, rollout = made(policy, elbo_terms=None), made(policy, elbo_terms=1), played(policy)
    one.decoder.load_state_dict(all_terms.decoder.state_dict())
    bounds = [
        torch.stack([learner.bound(rollout, np.random.default_rng(i))[0] for i in range(100)]).detach()
        for learner in (all_terms, one)
    ]
    error = (bounds[0].std(0) ** 2 / 100 + bounds[1].std(0) ** 2 / 100).sqrt()
    assert ((bounds[0].mean(0) - bounds[1].mean(0)).abs() < 4 * error).all()


# --- updates ---------------------------------------------------------------------------------------------------------


def test_beliefs_are_encoded_anew_after_every_update_of_the_encoder() -> None:
    """What PPO learns from is what the policy believed when it acted: its own actions keep their log-probability."""
    policy = used()
    learner, stale = made(policy, lr=0.05), None
    for iteration in range(3):
        rollout = played(policy)
        informed, _ = policy.informed(rollout, policy.initial_carry(TRIALS))
        head, _, _ = policy.actor_critic.unroll(informed, ())
        torch.testing.assert_close(distribution(head, policy.log_std).log_prob(rollout.action), rollout.log_prob)
        statistics = learner.update(rollout, iteration, 0.0)
        assert np.isfinite(list(statistics.values())).all()
        if stale is not None:
            assert not torch.isclose(informed.obs[1:, :, 2:], stale[1:, :, 2:], atol=1e-4).all()
        stale = informed.obs
    kept = learner.model.buffer.trials(torch.arange(TRIALS))
    before = learner.bound(kept, np.random.default_rng(0))[2]
    policy.encoder.mean.weight.data *= 2
    assert not torch.allclose(learner.bound(kept, np.random.default_rng(0))[2], before)  # nothing encoded is kept


def test_a_belief_that_says_nothing_is_warned_about_once() -> None:
    policy = used()
    learner, rollout = made(policy, updates=1), played(policy)
    policy.encoder.mean.weight.data *= 1e-4
    policy.encoder.log_var.weight.data *= 1e-4
    with pytest.warns(UserWarning, match=r"the belief has collapsed: .* lower method\.kl_weight = 0\.1"):
        learner.update(rollout, PATIENCE, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner.update(rollout, PATIENCE + 1, 0.5)


@pytest.mark.parametrize(("reads_reward", "reward", "motion"), [(True, True, False), (False, False, True)])
def test_decoded_is_what_tells_tasks_apart_unless_told_otherwise(
    reads_reward: bool, reward: bool, motion: bool
) -> None:
    decoder = made(used(Sizes(2, 1, 1, reads_reward))).decoder
    assert ((decoder.reward is not None), (decoder.motion is not None)) == (reward, motion)
    both = made(used(Sizes(2, 1, 1, reads_reward)), decode_reward=True, decode_motion=True).decoder
    assert both.reward is not None
    assert both.motion is not None


# --- runs ------------------------------------------------------------------------------------------------------------


class Interrupted(Exception):
    """Stands for whatever stops a run."""


def grid(*overrides: str) -> TrainConfig:
    return resolve_config("varibad", None, [*GRID, *overrides])


def test_an_interrupted_run_continues_to_the_same_bytes(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.steps == 1200:
            raise Interrupted

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(grid(), whole)
    with pytest.raises(Interrupted):
        train(grid(), parts, report=stop)
    train(RunFolder(parts).config(), parts, resume=True)
    assert len(RunFolder(parts).metrics()) == 4
    assert (parts / METRICS).read_bytes() == (whole / METRICS).read_bytes()
    states = [load_policy(folder)[1].state_dict() for folder in (whole, parts)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_setting_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown key .*kl_wait.*did you mean 'kl_weight'\?"):
        grid("method.kl_wait=1")
