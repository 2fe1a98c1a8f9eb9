"""Learning without memory: robust finds what is right on average, the oracle what is right for the true context."""

from __future__ import annotations

from typing import Any

import pytest

from sdk.algos.base import Sizes
from sdk.rl.ppo import PpoConfig
from tests.sdk.toy_worlds import Offset, learn, trial_return
from tests.sdk.untrained import learner_of, untrained


def test_robust_and_oracle_reach_their_optima_and_no_more() -> None:
    worlds, config, reached = Offset(100), PpoConfig(lr=5e-3, minibatches=4), {}
    for algo in ("robust", "oracle"):
        policy: Any = untrained(algo, Sizes(obs=1, action=1, context=1, reads_reward=False), hidden=(32,))
        assert trial_return(worlds, policy) == pytest.approx(worlds.of_doing_nothing, abs=0.2)
        learn(worlds, learner_of(algo, policy, config), iterations=60)
        reached[algo] = trial_return(worlds, policy)
    assert worlds.best_without_context - 0.06 <= reached["robust"] <= worlds.best_without_context + 0.02
    assert worlds.best_when_told - 0.06 <= reached["oracle"] <= worlds.best_when_told
