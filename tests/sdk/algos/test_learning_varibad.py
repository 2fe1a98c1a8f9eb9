"""variBAD learns within a trial, and the same with its memory wiped before every step does not."""

from __future__ import annotations

from typing import Any

import pytest

from sdk.algos.base import Sizes
from sdk.rl.ppo import PpoConfig
from sdk.toys.references.wind import oracle
from sdk.toys.wind import WindSettings, WindTrials
from tests.sdk.forgetful import ForgetfulGru
from tests.sdk.toy_worlds import SignBandit, learn, trial_return
from tests.sdk.untrained import learner_of, untrained


def agent(sizes: Sizes, wiped: bool, **networks: Any) -> Any:
    policy = untrained("varibad", sizes, **networks)
    if wiped:
        policy.encoder.memory.__class__ = ForgetfulGru
    return policy


def gap_closed_on_the_sign_bandit(wiped: bool) -> float:
    worlds: Any = SignBandit(100)
    policy = agent(Sizes(obs=1, action=1, context=1, reads_reward=True), wiped, hidden=(32,), memory=32)
    config = PpoConfig(lr=5e-3, minibatches=2, gamma=0.9, bptt=1)
    method = {"lr": 3e-3, "updates": 5, "elbo_terms": 3, "batch_trials": 50, "kl_weight": 1.0}
    learn(worlds, learner_of("varibad", policy, config, **method), iterations=50)
    low, high = worlds.best_without_memory, worlds.best_when_told
    return (trial_return(worlds, policy) - low) / (high - low)


def test_varibad_finds_out_within_a_trial_what_only_its_memory_can_tell() -> None:
    assert gap_closed_on_the_sign_bandit(wiped=False) > 0.7
    assert gap_closed_on_the_sign_bandit(wiped=True) < 0.5  # the last reward is still an input, and tells a little


def share_of_the_ceiling_in_wind(wiped: bool) -> float:
    """Return what 600,000 steps of training come to on 1000 other winds."""
    worlds, policy = (
        WindTrials(WindSettings(shaping=1.0), 100, seed=0),
        agent(Sizes(2, 2, 2, reads_reward=False), wiped),
    )
    config = PpoConfig(lr=2e-3, minibatches=6, gamma=0.95, bptt=1, entropy_weight=0.003, trial_end="terminal")
    method = {"lr": 2e-3, "updates": 4, "elbo_terms": 4}
    learn(worlds, learner_of("varibad", policy, config, **method), iterations=80)
    return trial_return(WindTrials(WindSettings(), 1000, seed=0, stream="held_out"), policy) / oracle()


@pytest.mark.learning
def test_in_an_unknown_wind_varibad_is_near_the_ceiling_and_without_memory_far_from_it() -> None:
    assert share_of_the_ceiling_in_wind(wiped=False) > 0.9
    assert share_of_the_ceiling_in_wind(wiped=True) < 0.5
