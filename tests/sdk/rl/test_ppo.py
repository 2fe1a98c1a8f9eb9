from __future__ import annotations

import copy
import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.rl.ppo import Horizon, Ppo, PpoConfig, advantages, hardest, prepare, segment_steps
from sdk.rl.rollout import Rollout, collect, side_by_side
from tests.sdk.toy_worlds import ToyTrials, TwoArms, learn, trial_return
from tests.sdk.untrained import actor_critics, learner_of, output_layer, untrained

SIZES = Sizes(obs=2, action=1, context=1, reads_reward=True)


def lively(algo: str, sizes: Sizes = SIZES) -> Any:
    """A policy whose actions already depend strongly on what it reads."""
    policy = untrained(algo, sizes, hidden=(16,), memory=8)
    nn.init.orthogonal_(output_layer(policy).weight)
    return policy


def played(policy: Any, trials: int = 4) -> Rollout:
    return collect(TwoArms(trials), policy, list(range(trials)), seed=0, stream="train")


def column(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


# --- advantages ------------------------------------------------------------------------------------------------------


class Followed:
    """A critic whose opinion of what followed each step is given."""

    log_std: Any = None
    initial_carry: Any = None
    unroll: Any = None

    def __init__(self, *values: float) -> None:
        self._values = column(*values)

    def final_values(self, rollout: Rollout) -> Tensor:
        return self._values


def block(reward: Tensor, terminated: Tensor, truncated: Tensor) -> Rollout:
    """A rollout of which only what advantages read is filled in."""
    parts = dict.fromkeys(Rollout.__dataclass_fields__, torch.zeros(*reward.shape, 1))
    return Rollout(**{**parts, "reward": reward, "terminated": terminated, "truncated": truncated})


@pytest.mark.parametrize(
    ("horizon", "expected"),
    [
        # rewards count (1 − γ)-fold: 0.5, 1, 1.5; step 1 is a terminal: δ = 0.5, 1 − 1, 1
        ("episode", [0.5, 0.0, 1.0]),
        # step 1 is followed by step 2 like any other: δ = 0.5, 0.75, 0.75; each carries 0.25 of what follows
        ("trial", [0.734375, 0.9375, 0.75]),
    ],
)
def test_the_horizon_says_where_sums_stop(horizon: Horizon, expected: list[float]) -> None:
    config = PpoConfig(gamma=0.5, gae_lambda=0.5)
    rollout = block(column(1, 2, 3), column(0, 1, 0), column(0, 0, 1))
    value = column(0.5, 1.0, 1.5)
    advantage, target = advantages(Followed(1, 9, 2), rollout, value, horizon, config)
    assert advantage[:, 0].tolist() == pytest.approx(expected)
    assert torch.equal(target, advantage + value)


def test_with_horizon_episode_a_time_out_bootstraps_but_nothing_flows_back_over_it() -> None:
    config = PpoConfig(gamma=0.5, gae_lambda=0.5)
    rollout = block(column(1, 2, 3), column(0, 0, 0), column(0, 1, 1))
    advantage, _ = advantages(Followed(1, 9, 2), rollout, column(0.5, 1, 1.5), "episode", config)
    assert advantage[:, 0].tolist() == pytest.approx([0.5 + 0.25 * 4.5, 4.5, 1.0])


def test_a_memoryless_critic_judges_the_true_last_observation() -> None:
    policy = lively("oracle")
    rollout = played(policy)
    _, value, _ = policy.unroll(rollout, ())
    followed = policy.final_values(rollout)
    inner = rollout.terminated[:-1] + rollout.truncated[:-1] == 0
    shifted = copy.copy(rollout)
    shifted.obs = rollout.final_obs
    torch.testing.assert_close(followed, policy.unroll(shifted, ())[1])
    assert not torch.isclose(followed[:-1], value[1:])[~inner].any()


@pytest.mark.parametrize(("trial_end", "last"), [("bootstrap", 1.5 + 0.5 * 1.5 - 1.5), ("terminal", 1.5 - 1.5)])
def test_a_trial_ends_in_more_of_the_same_or_in_nothing(
    trial_end: Literal["bootstrap", "terminal"], last: float
) -> None:
    config = PpoConfig(gamma=0.5, gae_lambda=0.5, trial_end=trial_end)
    rollout = block(column(1, 2, 3), column(0, 1, 0), column(0, 0, 1))
    advantage, _ = advantages(Followed(), rollout, column(0.5, 1.0, 1.5), "trial", config)
    inner = 1.0 + 0.5 * 1.5 - 1.0 + 0.25 * last
    assert advantage[:, 0].tolist() == pytest.approx([0.5 + 0.5 * 1.0 - 0.5 + 0.25 * inner, inner, last])


def test_where_nothing_follows_a_trial_its_last_time_out_is_worth_nothing_and_others_are() -> None:
    config = PpoConfig(gamma=0.5, gae_lambda=0.5, trial_end="terminal")
    rollout = block(column(1, 2, 3), column(0, 0, 0), column(0, 1, 1))
    advantage, _ = advantages(Followed(1, 9, 2), rollout, column(0.5, 1, 1.5), "episode", config)
    assert advantage[:, 0].tolist() == pytest.approx([0.5 + 0.25 * 4.5, 4.5, 1.5 - 1.5])
    assert not rollout.terminated.any()


# --- segments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_segments_unrolled_from_their_memory_equal_the_whole_trial(length: int) -> None:
    policy = lively("rl2")
    rollout = played(policy)
    mean, value, _ = policy.unroll(rollout, policy.initial_carry(4))
    batch = prepare(policy, rollout, "trial", PpoConfig(bptt=length))
    segment_mean, segment_value, _ = policy.unroll(batch.rollout, batch.carry)
    torch.testing.assert_close(segment_mean, side_by_side(mean, length))
    torch.testing.assert_close(segment_value, side_by_side(value, length))
    torch.testing.assert_close(batch.value, side_by_side(value, length))
    if length < 6:
        blank, _, _ = policy.unroll(batch.rollout, policy.initial_carry(batch.value.shape[1]))
        assert not torch.allclose(blank, segment_mean, atol=1e-3)


def test_advantages_are_worked_out_over_whole_trials_before_cutting() -> None:
    policy = lively("rl2")
    rollout = played(policy)
    whole, cut = (prepare(policy, rollout, "trial", PpoConfig(bptt=b)) for b in (None, 2))
    torch.testing.assert_close(cut.advantage, side_by_side(whole.advantage, 2))
    torch.testing.assert_close(cut.target, side_by_side(whole.target, 2))


def test_a_picked_batch_keeps_columns_and_memory_together() -> None:
    policy = lively("rl2")
    batch = prepare(policy, played(policy), "trial", PpoConfig(bptt=2))
    part = batch.pick(torch.tensor([9, 2]))
    _, value, _ = policy.unroll(part.rollout, part.carry)
    torch.testing.assert_close(value, batch.value[:, [9, 2]])
    torch.testing.assert_close(part.advantage, batch.advantage[:, [9, 2]])


@pytest.mark.parametrize(
    ("trial", "at_most", "steps"), [(480, 50, 48), (500, 50, 50), (6, 4, 3), (30, 50, 30), (479, None, 479)]
)
def test_segments_are_equal_and_the_longest_that_are_allowed(trial: int, at_most: int | None, steps: int) -> None:
    assert segment_steps(trial, at_most) == steps


def test_a_batch_is_cut_into_them() -> None:
    policy = lively("rl2")
    rollout = played(policy)
    assert prepare(policy, rollout, "trial", PpoConfig(bptt=4)).value.shape == (3, 2 * rollout.reward.shape[1])


def test_a_trial_that_only_falls_into_far_shorter_segments_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ppo\.bptt = 50: a trial of 479 steps .* of 25 to 50 steps.* are of 1;"):
        segment_steps(479, 50)


# --- what reaches the actor ------------------------------------------------------------------------------------------


def test_the_actor_learns_through_the_memory() -> None:
    policy = lively("rl2")
    rollout = played(policy)
    rollout.last_action.requires_grad_()
    mean, _, _ = policy.unroll(rollout, policy.initial_carry(4))
    mean[-1].sum().backward()
    assert policy.memory.gru.weight_hh_l0.grad is not None
    assert policy.memory.gru.weight_hh_l0.grad.abs().max() > 1e-4
    assert rollout.last_action.grad is not None
    assert (rollout.last_action.grad[0] != 0).all()


@pytest.mark.parametrize("algo", actor_critics())
def test_the_true_context_reaches_only_actions_of_who_is_told(algo: str) -> None:
    policy = lively(algo)
    rollout = played(policy)
    other = copy.copy(rollout)
    other.context = rollout.context + 1
    mean, value, _ = policy.unroll(rollout, policy.initial_carry(4))
    other_mean, other_value, _ = policy.unroll(other, policy.initial_carry(4))
    assert torch.equal(mean, other_mean) is (algo not in ("oracle", "rma", "system_identification"))
    assert not torch.isclose(value, other_value).any()


# --- updates ---------------------------------------------------------------------------------------------------------


def updated(policy: Any, iteration: int = 0, seed: int = 0, entropy_weight: float = 0.0) -> Ppo:
    learner = Ppo(copy.deepcopy(policy), PpoConfig(minibatches=2, entropy_weight=entropy_weight), "trial", seed)
    learner.update(played(policy), iteration, 0.0)
    return learner


def weights(learner: Ppo) -> Tensor:
    return nn.utils.parameters_to_vector(learner.policy.parameters())


def test_the_order_of_minibatches_is_keyed_by_seed_and_iteration() -> None:
    policy = lively("rl2")
    first = weights(updated(policy))
    assert torch.equal(first, weights(updated(policy)))
    assert not torch.equal(first, weights(updated(policy, iteration=1)))
    assert not torch.equal(first, weights(updated(policy, seed=1)))


def test_annealed_entropy_counts_in_full_at_the_start_and_not_at_all_at_the_end() -> None:
    policy = lively("rl2")

    def after(progress: float, **entropy: Any) -> Tensor:
        learner = Ppo(copy.deepcopy(policy), PpoConfig(minibatches=2, **entropy), "trial", 0)
        learner.update(played(policy), 0, progress)
        return weights(learner)

    held, annealed = {"entropy_weight": 0.5}, {"entropy_weight": 0.5, "anneal_entropy": True}
    assert torch.equal(after(0.0, **held), after(0.0, **annealed))
    assert torch.equal(after(1.0), after(1.0, **annealed))
    assert not torch.equal(after(1.0, **held), after(1.0, **annealed))


def test_an_update_leaves_the_global_generators_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), str(np.random.get_state())
    policy = lively("rl2")
    torch.set_rng_state(torch_state)
    updated(policy)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert str(np.random.get_state()) == numpy_state


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1.0), (0.5, 0.525), (1.0, 0.05)])
def test_the_step_size_falls_linearly_to_a_twentieth(progress: float, share: float) -> None:
    policy = lively("robust")
    learner = Ppo(policy, PpoConfig(lr=0.01), "episode", seed=0)
    learner.update(played(policy), 0, progress)
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share)


def test_more_minibatches_than_trials_is_one_trial_each() -> None:
    policy = lively("robust")
    statistics = Ppo(policy, PpoConfig(minibatches=12), "episode", seed=0).update(played(policy), 0, 0.0)
    assert all(map(math.isfinite, statistics.values())), statistics


def test_the_policy_that_collected_is_the_one_that_starts_the_update() -> None:
    policy = lively("rl2")
    learner = Ppo(policy, PpoConfig(epochs=1, minibatches=1), "trial", seed=0)
    assert learner.update(played(policy), 0, 0.0)["kl"] == pytest.approx(0, abs=1e-6)


def test_the_normalizer_reads_each_rollout_once_after_the_update() -> None:
    policy = lively("robust")
    rollout = played(policy)
    Ppo(policy, PpoConfig(epochs=3, minibatches=2), "episode", seed=0).update(rollout, 0, 0.0)
    assert policy.normalizer.count == rollout.reward.numel()
    torch.testing.assert_close(policy.normalizer.mean, rollout.obs.mean((0, 1)))


def test_the_entropy_weight_widens_the_actions() -> None:
    policy = lively("robust")
    learners = [updated(policy, entropy_weight=weight) for weight in (10.0, 0.0)]
    wide, plain = (learner.policy.state_dict()["log_std"].item() for learner in learners)
    assert wide > plain


class OneStep(ToyTrials):
    """Trials of one step that pay −(a − 0.5)²."""

    obs_size = 1
    trial_steps = 1

    def obs(self) -> np.ndarray:
        return np.ones((len(self.indices), 1), dtype=np.float32)

    def context(self) -> np.ndarray:
        return np.zeros(len(self.indices))

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -((sent - 0.5) ** 2)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        ended = np.ones(len(self.indices), bool)
        return ended, ~ended


class Reversed(OneStep):
    """The same with reward and penalty exchanged."""

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -super().reward(sent)


def test_a_continuous_bandit_improves_and_with_reversed_reward_gets_worse() -> None:
    config = PpoConfig(lr=0.02, minibatches=1)
    reached = []
    for worlds in (OneStep(64), Reversed(64)):
        policy = untrained("robust", Sizes(1, 1, 1, False), hidden=(16,))
        assert trial_return(OneStep(64), policy) == pytest.approx(-0.25, abs=0.02)
        learn(worlds, learner_of("robust", policy, config), iterations=30)
        reached.append(trial_return(OneStep(64), policy))
    assert reached[0] > -0.01
    assert reached[1] < -1.0


# --- the worst trials ------------------------------------------------------------------------------------------------


def test_the_trials_of_lowest_return_are_kept_with_everything_they_hold() -> None:
    rollout = played(lively("robust"))
    returns = rollout.reward.sum(0)
    order = returns.argsort()
    half = hardest(rollout, 0.5)
    limit = returns[order[1]]
    kept = torch.nonzero(returns <= limit)[:, 0]
    assert torch.equal(half.obs, rollout.obs[:, kept])
    assert torch.equal(half.reward, rollout.reward[:, kept])
    assert hardest(rollout, 1.0) is rollout


@pytest.mark.parametrize(("progress", "all_count"), [(0.2, True), (0.5, False)])
def test_the_update_learns_from_the_worst_once_it_is_their_turn(progress: float, all_count: bool) -> None:
    def after(config: PpoConfig, rollout: Rollout) -> list[Tensor]:
        policy = lively("robust")
        Ppo(policy, config, "episode", seed=0).update(rollout, 0, progress)
        return [*policy.actor.parameters()]

    rollout = played(lively("robust"), trials=6)
    rollout.reward[:] = torch.arange(6.0)  # trial 0 is the worst
    found = after(PpoConfig(worst=0.5, worst_from=0.4, epochs=1), rollout)
    plain = after(PpoConfig(epochs=1), rollout if all_count else rollout.trials(torch.arange(3)))
    other = after(PpoConfig(epochs=1), rollout.trials(torch.arange(3, 6)))
    assert all(torch.equal(a, b) for a, b in zip(found, plain, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(found, other, strict=True))
