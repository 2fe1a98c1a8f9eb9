"""RL² learns to explore: near the Bayes optimum of a small bandit, which no policy without memory can approach."""

from __future__ import annotations

import pytest

from sdk.algos.base import Sizes
from sdk.rl.ppo import PpoConfig
from sdk.toys.bandit import BanditSettings, BanditTrials
from sdk.toys.references.bandit import references
from tests.sdk.forgetful import Forgetful
from tests.sdk.toy_worlds import learn, trial_return
from tests.sdk.untrained import learner_of, untrained

SETTINGS = BanditSettings(pulls=10, arms=3)
CONFIG = PpoConfig(lr=3e-3, gamma=0.9, gae_lambda=0.9, entropy_weight=0.03, epochs=3, minibatches=4)


def reached(wiped: bool) -> float:
    """Return what RL² gets after 80,000 training bandits, on 10,000 others, without exploration noise."""
    sizes = Sizes(obs=1, action=3, context=3, reads_reward=True, discrete=True)
    policy = untrained("rl2", sizes, hidden=(32,), memory=32)
    if wiped:
        policy.__class__ = Forgetful
    learn(BanditTrials(SETTINGS, 1000, seed=0), learner_of("rl2", policy, CONFIG), iterations=80)
    return trial_return(BanditTrials(SETTINGS, 10_000, seed=0, stream="held_out"), policy)


@pytest.mark.learning
def test_rl2_beats_thompson_sampling_and_without_memory_it_can_but_stay_or_shift() -> None:
    known = {name: row.total for name, row in references(SETTINGS, tasks=10_000).items()}
    remembers, forgets = reached(wiped=False), reached(wiped=True)
    assert remembers > known["thompson"] + 0.3
    assert remembers > known["win_stay"] + 0.1
    assert remembers < known["optimal"] + 0.08  # three standard errors: nothing beats the optimum
    assert forgets < known["win_stay"] + 0.08
