"""PEARL: what context says of a task, whose gradient goes where, and which experience serves for what."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from sdk.algos.base import Sizes
from sdk.algos.pearl import PATIENCE, Pearl, PearlPolicy, kl_to_prior
from sdk.nn.beliefs import Belief
from sdk.nn.dither import DRAWS
from sdk.rl.rollout import Rollout, collect
from sdk.rl.soft import critic_loss
from sdk.rl.task_replay import Steps, steps_of, task_of
from sdk.ship import export_run
from sdk.train import train
from tests.sdk.tiny_runs import tiny
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import learner_of, untrained

SIZES, TRIALS = Sizes(obs=2, action=1, context=1, reads_reward=True), 4
SMALL = {"latent": 3, "encoder_hidden": (8,), "context": 5, "batch": 8, "warm_up": 0, "updates_per_step": 0.1}


def used(**method: Any) -> PearlPolicy:
    """A policy with used normalisers, whose actions depend strongly on what it reads."""
    policy: PearlPolicy = untrained("pearl", SIZES, method={**SMALL, **method}, hidden=(16,), log_std=0.0)
    nn.init.orthogonal_(policy.head.actor[-1].weight)  # type: ignore[arg-type]
    policy.encoder.normalizer.update(torch.randn(50, policy.encoder.normalizer.mean.numel()) * 3)
    policy.normalizer.update(torch.randn(50, 2) * 3 + 1)
    return policy


def made(policy: PearlPolicy, **method: Any) -> Pearl:
    learner = learner_of("pearl", policy, **{**SMALL, **method})
    assert isinstance(learner, Pearl)
    return learner


def played(policy: PearlPolicy, first: int = 0, explore: bool = True) -> Rollout:
    indices = list(range(first, first + TRIALS))
    return collect(TwoArms(TRIALS), policy, indices, seed=0, stream="train", explore=explore)


def carries(policy: PearlPolicy, rollout: Rollout, first: tuple[Tensor, ...] | None = None) -> list[tuple[Tensor, ...]]:
    """The memory after each step."""
    carry, after = first or policy.initial_carry(TRIALS), []
    for reading in zip(rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start, strict=True):
        _, carry = policy.step(*reading, carry)
        after.append(carry)
    return after


# --- what is inferred ------------------------------------------------------------------------------------------------


def test_what_was_inferred_in_a_trial_is_what_its_transitions_say_at_once() -> None:
    """Those whose outcome it read: nothing is made of the step from one episode to the next."""
    policy = used()
    rollout = played(policy)
    rollout.final_obs[:-1] = rollout.obs[1:]  # in this toy even within an episode half a step behind
    precision, weighted, *_ = carries(policy, rollout)[-1]
    context = Steps(*(x.transpose(0, 1) for x in steps_of(rollout)))
    torch.testing.assert_close(policy.posterior(context), (precision, weighted), rtol=0, atol=1e-6)
    shuffled = Steps(*(x[torch.tensor([3, 0, 5, 1, 4, 2])] for x in context))
    torch.testing.assert_close(policy.posterior(shuffled), (precision, weighted), rtol=0, atol=1e-6)
    assert (precision > 1.5).all()


def test_a_trial_begins_with_the_prior_and_the_mean_moves_at_each_step() -> None:
    policy = used()
    first = [s.start()[0].tolist() for s in policy.carry_spec]
    assert first == [[1, 1, 1], [0, 0, 0], [0, 0], [0]]
    after = carries(policy, played(policy))
    assert torch.equal(after[0][0], torch.ones(TRIALS, 3))
    assert not torch.isclose(after[1][1], after[0][1]).any()


def test_a_draw_is_held_for_an_episode_and_each_trial_has_its_own() -> None:
    policy = used(acts_on="sample", draws=2)
    rollout = played(policy)
    rngs = [np.random.default_rng(i) for i in range(TRIALS)]
    begun = policy.with_luck(policy.initial_carry(TRIALS), rngs)
    after = carries(policy, rollout, begun)
    starts = rollout.episode_start[..., 0]
    for t in range(1, len(after)):
        moved = (after[t][-2] != after[t - 1][-2]).any(-1)
        assert torch.equal(moved, starts[t].bool())
    mean, log_var = Belief(after[0][1] / after[0][0], -after[0][0].log())
    torch.testing.assert_close(after[0][-2], mean + (0.5 * log_var).exp() * begun[-1][:, 0])
    second = after[2]  # of even worlds, where another episode begins at step 2
    expected = second[1] / second[0] + second[0].rsqrt() * begun[-1][:, 1]
    torch.testing.assert_close(second[-2][0], expected[0])
    assert len({tuple(row) for row in begun[-1][:, 0].tolist()}) == TRIALS


def test_collection_keys_the_draws_by_world_and_a_robot_has_those_of_its_bundle() -> None:
    policy = used(acts_on="sample")
    rollout, again = played(policy, explore=False), played(policy, explore=False)
    assert torch.equal(rollout.action, again.action)
    other = collect(TwoArms(TRIALS), policy, [3, 2, 1, 0], seed=0, stream="train", explore=False)
    torch.testing.assert_close(other.action.flip(1), rollout.action)
    same_obs = [policy.actions(torch.zeros(TRIALS, 2), carry[-2]).greedy for carry in carries(policy, rollout)]
    assert torch.equal(same_obs[0][0], same_obs[0][1])  # without luck of its own, each trial has the bundle's


# --- whose gradient goes where ---------------------------------------------------------------------------------------


def batch(learner: Pearl) -> tuple[Steps, Steps]:
    learner.observe(played(learner.policy))
    return learner.draw(np.random.default_rng(0))


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_the_policy_s_loss_gives_the_encoder_no_gradient() -> None:
    learner = made(used())
    context, steps = batch(learner)
    latent = learner.policy.posterior(context).belief.mean.expand(*steps.reward.shape, -1)
    before = flat(learner.policy.encoder)
    action, log_prob = learner.policy.actions(steps.obs, latent.detach()).sample(torch.zeros_like(steps.action))
    learner.soft.descend_actor(
        learner.soft.critic(learner.judged(steps.obs, latent.detach(), action)), log_prob, action
    )
    assert torch.equal(flat(learner.policy.encoder), before)
    held = {id(p) for p in learner.soft._groups["actor"]}
    assert held == {id(p) for p in learner.policy.head.parameters()}


def test_a_descent_moves_the_encoder_by_the_critics_loss_and_the_kl_alone() -> None:
    """The same descent with an actor that is worth nothing moves the encoder to the same place."""
    moved = []
    for silent in (False, True):
        learner = made(used())
        context, steps = batch(learner)
        if silent:
            learner.soft.descend_actor = lambda value, log_prob, action: None  # type: ignore[method-assign]
        learner.descend(context, steps, np.random.default_rng(1))
        moved.append((flat(learner.policy.encoder), flat(learner.policy.head)))
    assert torch.equal(moved[0][0], moved[1][0])
    assert not torch.equal(moved[0][1], moved[1][1])


def test_both_the_critics_loss_and_the_kl_reach_the_encoder() -> None:
    learner = made(used())
    context, steps = batch(learner)
    belief = learner.policy.posterior(context).belief
    latent = belief.mean.expand(*steps.reward.shape, -1)
    value = learner.soft.critic(learner.judged(steps.obs, latent, steps.action))
    weights = list(learner.policy.encoder.parameters())
    for loss in (critic_loss(value, torch.ones_like(steps.reward)), kl_to_prior(belief).sum()):
        assert all(g.any() for g in torch.autograd.grad(loss, weights, retain_graph=True))


# --- experience ------------------------------------------------------------------------------------------------------


def test_contexts_are_of_the_last_trials_and_steps_of_all() -> None:
    learner = made(used(), context=60, batch=200)
    for first in (0, 4, 8):
        learner.observe(played(learner.policy, first))
    worlds: dict[str, set[float]] = {"context": set(), "steps": set()}
    for seed in range(5):
        context, steps = learner.draw(np.random.default_rng(seed))
        counted = context.obs[..., 1][context.unread == 0]
        worlds["context"] |= set(counted.tolist())
        worlds["steps"] |= set(steps.obs[..., 1].flatten().tolist())
        assert torch.equal(context.context[0], steps.context[0])
        assert all(len(set(column.tolist())) == 1 for column in steps.context[..., 0].T)
    assert worlds["context"] == {10, 11}
    assert worlds["steps"] == set(range(12))


def test_contexts_have_any_number_of_transitions_up_to_the_most() -> None:
    learner = made(used(), context=3)
    learner.observe(played(learner.policy))
    sizes = [(1 - learner.draw(np.random.default_rng(i))[0].unread).sum(0).tolist() for i in range(60)]
    assert {size for pair in sizes for size in pair} == {0, 1, 2, 3}


def test_a_robot_is_noisy_by_its_own_spread_in_as_many_episodes_as_asked_for() -> None:
    policy = used(explores=1)
    rollout = played(policy, explore=False)
    rngs = [keyed_rng(0, "train", i, "memory") for i in range(TRIALS)]
    begin = policy.with_luck(policy.initial_carry(TRIALS), rngs)
    before, begun = [begin, *carries(policy, rollout, begin)], rollout.episode_start.cumsum(0)
    assert begun.max() > 1
    for t in range(len(begun)):
        reading = (x[t] for x in (rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start))
        actions, _ = policy.act(*reading, before[t])
        assert torch.equal(rollout.action[t], actions.noisy(begin[-1][:, t] * (begun[t] == 1)))
    assert len({tuple(row) for row in begin[-1][:, 0].tolist()}) == TRIALS


def test_noise_comes_again_and_a_robot_has_that_of_its_bundle() -> None:
    policy = used(explores=2)
    carry, start = policy.initial_carry(2), torch.ones(2, 1)
    noise = []
    for _ in range(DRAWS + 1):
        now, dither = carry[policy.inferring :], policy.dither
        noise.append(dither.noise(start, now))
        carry, start = (*carry[: policy.inferring], *dither.after(start, now)), torch.zeros(2, 1)
    assert torch.equal(noise[0], noise[DRAWS])
    assert torch.equal(noise[0][0], noise[0][1])
    assert torch.stack(noise[:DRAWS]).unique().numel() == DRAWS


def test_the_policy_knows_of_a_task_only_what_it_plays_in_it() -> None:
    """A learner full of a task's experience, or empty: on another trial of it the policy does the same."""
    policy = used()
    before = played(policy, first=40, explore=False)
    learner = made(policy)
    for first in range(0, 12, 4):
        learner.replay.add(played(policy, first))
        learner.recent.add(played(policy, first))
    assert task_of(before.context[0, 0]) in learner.recent.tasks
    assert torch.equal(played(policy, first=40, explore=False).action, before.action)
    rollout = played(policy, first=40)
    alone = collect(TwoArms(1), policy, [42], seed=0, stream="train")
    torch.testing.assert_close(alone.action[:, 0], rollout.action[:, 2])


# --- updates ---------------------------------------------------------------------------------------------------------


def test_the_kl_to_the_prior_is_reported_for_each_dimension_and_for_the_least_task() -> None:
    learner = made(used())
    row = learner.update(played(learner.policy), 0, 0.0)
    assert [name for name in row if name.startswith("kl_dim")] == ["kl_dim_0", "kl_dim_1", "kl_dim_2"]
    assert 0 <= row["kl_least"] <= sum(row[f"kl_dim_{i}"] for i in range(3))
    assert np.isfinite(list(row.values())).all()
    unsure = Belief(torch.tensor([0.0, 1.0]), torch.tensor([0.0, np.log(0.25)]))
    assert kl_to_prior(unsure).tolist() == pytest.approx([0, 0.5 * (0.25 + 1 - 1 - np.log(0.25))])


def test_a_posterior_that_says_nothing_is_warned_about_once() -> None:
    policy = used(lr=1e-9)
    learner = made(policy, lr=1e-9)
    for p in policy.encoder.net[-1].parameters():  # type: ignore[union-attr]
        p.data.fill_(0)
    policy.encoder.net[-1].bias.data[3:] = -9  # type: ignore[union-attr, operator, index]
    learner.descents = PATIENCE - 1
    with pytest.warns(UserWarning, match=r"the posterior has collapsed: .* lower method\.kl_weight = 0\.1"):
        learner.update(played(policy), 0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner.update(played(policy, 4), 1, 0.0)


@pytest.mark.slow
def test_a_policy_that_acts_on_draws_and_explores_leaves_with_its_luck(tmp_path: Path) -> None:
    chosen = ("method.acts_on=sample", "method.explores=1", "method.updates_per_step=0.02")
    train(tiny("pearl", "robot=servo_arm", *chosen), tmp_path / "run")
    manifest = export_run(tmp_path / "run", tmp_path / "bundle", worlds=2)
    assert manifest.parity.max_abs_error <= 1e-5
    names = ["precision", "weighted", "before", "latent", "noise", "begun", "dither"]
    assert [state.name for state in manifest.carry] == names
    assert [len(set(manifest.carry[i].start().flatten().tolist())) for i in (4, 6)] == [8 * 5, DRAWS]
