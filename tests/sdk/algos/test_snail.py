"""SNAIL: no segments, no look ahead, and learning within a trial that the bare present does not allow."""

from __future__ import annotations

import pytest
import torch

from domain_rand.schema import ConfigError
from sdk.algos.base import find_algorithm
from sdk.config import TrainConfig
from sdk.rl.rollout import collect
from tests.sdk.forgetful import Forgetful
from tests.sdk.sign_bandit import SIZES, beginner, gap_closed
from tests.sdk.toy_worlds import SignBandit

SMALL = {"window": 6, "filters": 8, "blocks": 1}


def test_segments_are_refused_with_what_to_do() -> None:
    config = TrainConfig.parse({"algo": "snail", "ppo": {"bptt": 50}}, "test")
    with pytest.raises(ConfigError, match=r"ppo\.bptt is 50, but snail .* set ppo\.bptt: null, and method\.window"):
        find_algorithm("snail").build(SIZES, config)


def test_acting_equals_learning_over_episodes_and_windows() -> None:
    policy = beginner("snail", SMALL, head_gain=1.0)
    rollout = collect(SignBandit(5), policy, list(range(5)), seed=0, stream="train")  # 20 episodes, 3 windows
    mean, _, _ = policy.unroll(rollout, policy.initial_carry(5))
    carry, means = policy.initial_carry(5), []
    for row in zip(rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start, strict=True):
        given, carry = policy.step(*row, carry)
        means.append(given)
    torch.testing.assert_close(torch.stack(means), mean, rtol=1e-5, atol=1e-6)
    assert not torch.isclose(mean[1:], mean[:-1]).all(0).any()


def test_it_finds_out_within_a_trial_and_not_without_its_window() -> None:
    remembers, forgets = beginner("snail", SMALL), beginner("snail", SMALL)
    forgets.__class__ = Forgetful
    assert gap_closed("snail", remembers, iterations=60) >= 0.7
    assert gap_closed("snail", forgets, iterations=60) < 0.5
