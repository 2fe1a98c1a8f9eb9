from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sdk.engines.local import collect_in_waves
from sdk.rl.objectives import gaussian_log_prob
from sdk.rl.rollout import Carry, Rollout, collect, side_by_side
from tests.sdk.toy_worlds import TwoArms

EVEN, ODD = 0, 1
REST = float(TwoArms.rest_action[0])
STARTS = torch.tensor([[1, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0]], dtype=torch.float32).T
"""When an episode begins: even worlds after steps 2 and 5, odd ones after steps 3 (and 6, the trial's end)."""


class Counter:
    """A policy whose memory is how many steps it has lived; its mean action is a tenth of that."""

    log_std = torch.tensor([-1.0])

    def __init__(self) -> None:
        self.lived: list[list[float]] = []
        self.context = torch.empty(0)

    def initial_carry(self, size: int) -> Carry:
        return (torch.zeros(size, 1),)

    def bind_context(self, context: Tensor) -> None:
        self.context = context

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        self.lived.append(carry[0][:, 0].tolist())
        return carry[0] / 10, (carry[0] + 1,)


@pytest.fixture
def worlds() -> TwoArms:
    return TwoArms(2)


@pytest.fixture
def rollout(worlds: TwoArms) -> Rollout:
    return collect(worlds, Counter(), [EVEN, ODD], seed=0, stream="train")


def test_an_episode_start_is_an_input(rollout: Rollout) -> None:
    assert torch.equal(rollout.episode_start[..., 0], STARTS)


def test_the_first_step_of_a_trial_reads_placeholders(rollout: Rollout) -> None:
    assert torch.equal(rollout.last_action[0], torch.full((2, 1), REST))
    assert torch.equal(rollout.last_reward[0], torch.zeros(2, 1))


def test_the_last_action_is_what_was_sent_and_rest_where_an_episode_starts(rollout: Rollout) -> None:
    sent = rollout.action.clamp(-1, 1) / 2
    started = STARTS[1:, :, None].bool()
    assert torch.equal(rollout.last_action[1:], torch.where(started, REST, sent[:-1]))
    assert (sent != 0).all()


def test_the_last_reward_crosses_inner_ends(rollout: Rollout) -> None:
    assert torch.equal(rollout.last_reward[1:, :, 0], rollout.reward[:-1])
    assert rollout.reward[:, EVEN].round(decimals=4).tolist() != rollout.reward[:, ODD].round(decimals=4).tolist()


def test_the_world_hears_the_action_as_it_was_sampled(worlds: TwoArms, rollout: Rollout) -> None:
    assert np.array_equal(np.stack(worlds.fed), rollout.action.numpy())


def test_both_endings_are_kept_apart_with_the_true_last_observation(rollout: Rollout) -> None:
    assert rollout.terminated.T.tolist() == [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]]
    assert rollout.truncated.T.tolist() == [[0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]]
    assert torch.equal(rollout.obs[1:, :, 0], rollout.final_obs[:-1, :, 0] + 0.5)
    assert rollout.obs[:, ODD].tolist() == [[t, 1] for t in range(6)]


def test_memory_crosses_inner_ends_and_is_blank_in_a_new_trial(worlds: TwoArms) -> None:
    policy = Counter()
    for _ in range(2):
        collect(worlds, policy, [EVEN, ODD], seed=0, stream="train")
    assert policy.lived == [[t, t] for t in range(6)] * 2


def test_contexts_are_told_before_the_trial_and_kept_beside_it(worlds: TwoArms) -> None:
    policy = Counter()
    rollout = collect(worlds, policy, [ODD, EVEN], seed=0, stream="train")
    assert policy.context.tolist() == [[1], [0]]
    assert rollout.context.shape == (6, 2, 1)
    assert (rollout.context == policy.context).all()


def test_the_stored_log_prob_is_that_of_the_stored_action(rollout: Rollout) -> None:
    mean = torch.arange(6.0).reshape(6, 1, 1) / 10
    expected = gaussian_log_prob(rollout.action, mean, Counter.log_std)
    torch.testing.assert_close(rollout.log_prob, expected, rtol=0, atol=1e-5)


def test_a_world_hears_the_same_noise_in_whichever_wave() -> None:
    together = collect_in_waves(TwoArms(4), Counter(), [7, 8, 9, 10], seed=3, stream="train")
    in_waves = collect_in_waves(TwoArms(3), Counter(), [10, 9, 8, 7], seed=3, stream="train")
    assert torch.equal(together.action, in_waves.action.flip(1))
    assert len(set(together.action[0, :, 0].tolist())) == 4


@pytest.mark.parametrize("key", [{"seed": 4}, {"stream": "other"}])
def test_another_seed_or_stream_is_other_noise(key: dict) -> None:
    plain = {"seed": 3, "stream": "train"}
    first, other = (collect(TwoArms(2), Counter(), [0, 1], **k) for k in (plain, plain | key))
    assert not (first.action == other.action).any()


def test_without_exploration_the_mean_is_played(worlds: TwoArms) -> None:
    rollout = collect(worlds, Counter(), [EVEN, ODD], seed=0, stream="train", explore=False)
    assert torch.equal(rollout.action, (torch.arange(6.0) / 10).reshape(6, 1, 1).expand(6, 2, 1))


def test_segments_lie_side_by_side_in_order_of_time() -> None:
    step_of_trial = torch.tensor([[10 * t + n for n in range(2)] for t in range(6)])
    assert side_by_side(step_of_trial, 3).T.tolist() == [[0, 10, 20], [1, 11, 21], [30, 40, 50], [31, 41, 51]]
    assert side_by_side(step_of_trial[..., None], 2).shape == (2, 6, 1)


def test_all_parts_of_a_rollout_are_cut_alike(rollout: Rollout) -> None:
    cut = rollout.segments(3)
    assert cut.obs[:, 3].tolist() == [[3, 1], [4, 1], [5, 1]]
    assert torch.equal(cut.reward[:, 3], rollout.reward[3:, ODD])
    assert torch.equal(cut.context[:, 3], rollout.context[3:, ODD])


def test_trials_are_picked_and_joined_as_columns(rollout: Rollout) -> None:
    joined = Rollout.join([rollout.trials(torch.tensor([ODD])), rollout.trials(torch.tensor([EVEN]))])
    assert torch.equal(joined.obs, rollout.obs.flip(1))
    assert torch.equal(joined.log_prob, rollout.log_prob.flip(1))
