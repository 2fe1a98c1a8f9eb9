"""Learning that must work: within a trial for RL², without memory for robust, on the true context for the oracle."""

from __future__ import annotations

from typing import Any

import pytest

from sdk.algos.base import Sizes
from sdk.rl.ppo import PpoConfig
from tests.sdk.forgetful import Forgetful
from tests.sdk.toy_worlds import Offset, SignBandit, learn, trial_return
from tests.sdk.untrained import learner_of, untrained


def small(algo: str, reads_reward: bool = False) -> Any:
    sizes = Sizes(obs=1, action=1, context=1, reads_reward=reads_reward)
    return untrained(algo, sizes, hidden=(32,), memory=32)


def gap_closed_on_the_sign_bandit(policy: Any) -> float:
    worlds = SignBandit(100)
    config = PpoConfig(lr=5e-3, minibatches=2, gamma=0.9)
    learn(worlds, learner_of("rl2", policy, config), iterations=80)
    low, high = worlds.best_without_memory, worlds.best_when_told
    return (trial_return(worlds, policy) - low) / (high - low)


def test_rl2_finds_out_within_a_trial_what_only_its_memory_can_tell() -> None:
    remembers, forgets = small("rl2", reads_reward=True), small("rl2", reads_reward=True)
    forgets.__class__ = Forgetful
    assert gap_closed_on_the_sign_bandit(remembers) >= 0.9
    assert gap_closed_on_the_sign_bandit(forgets) < 0.6  # the last reward is still an input, and tells a little


def test_robust_and_oracle_reach_their_optima_and_no_more() -> None:
    worlds, config, reached = Offset(100), PpoConfig(lr=5e-3, minibatches=4), {}
    for algo in ("robust", "oracle"):
        policy = small(algo)
        assert trial_return(worlds, policy) == pytest.approx(worlds.of_doing_nothing, abs=0.2)
        learn(worlds, learner_of(algo, policy, config), iterations=60)
        reached[algo] = trial_return(worlds, policy)
    assert worlds.best_without_context - 0.06 <= reached["robust"] <= worlds.best_without_context + 0.02
    assert worlds.best_when_told - 0.06 <= reached["oracle"] <= worlds.best_when_told
