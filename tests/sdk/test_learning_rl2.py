"""Learning that must work: within a trial for RL², without memory for robust, on the true context for the oracle."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sdk.algos.base import Sizes, find_algorithm
from sdk.config import PolicyConfig
from sdk.rl.ppo import PpoConfig
from tests.sdk.forgetful import Forgetful
from tests.sdk.toy_worlds import Offset, SignBandit, learn, trial_return

SMALL = PolicyConfig(hidden=(32,), memory=32)


def untrained(algo: str, reads_reward: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return find_algorithm(algo).build(Sizes(obs=1, action=1, context=1, reads_reward=reads_reward), SMALL)


def gap_closed_on_the_sign_bandit(policy: nn.Module) -> float:
    worlds = SignBandit(100)
    config = PpoConfig(lr=5e-3, minibatches=2, gamma=0.9)
    learn(worlds, policy, find_algorithm("rl2").horizon, config, iterations=80)
    low, high = worlds.best_without_memory, worlds.best_when_told
    return (trial_return(worlds, policy) - low) / (high - low)


def test_rl2_finds_out_within_a_trial_what_only_its_memory_can_tell() -> None:
    remembers, forgets = untrained("rl2", reads_reward=True), untrained("rl2", reads_reward=True)
    forgets.__class__ = Forgetful
    assert gap_closed_on_the_sign_bandit(remembers) >= 0.9
    assert gap_closed_on_the_sign_bandit(forgets) < 0.6  # the last reward is still an input, and tells a little


def test_robust_and_oracle_reach_their_optima_and_no_more() -> None:
    worlds, config, reached = Offset(100), PpoConfig(lr=5e-3, minibatches=4), {}
    for algo in ("robust", "oracle"):
        policy = untrained(algo)
        assert trial_return(worlds, policy) == pytest.approx(worlds.of_doing_nothing, abs=0.2)
        learn(worlds, policy, find_algorithm(algo).horizon, config, iterations=60)
        reached[algo] = trial_return(worlds, policy)
    assert worlds.best_without_context - 0.06 <= reached["robust"] <= worlds.best_without_context + 0.02
    assert worlds.best_when_told - 0.06 <= reached["oracle"] <= worlds.best_when_told
