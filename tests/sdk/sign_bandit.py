"""How much of what only memory can tell a policy finds out, on the lever whose sense is hidden."""

from __future__ import annotations

from typing import Any

from sdk.algos.base import Sizes
from sdk.rl.ppo import PpoConfig
from tests.sdk.toy_worlds import SignBandit, learn, trial_return
from tests.sdk.untrained import learner_of, untrained

SIZES = Sizes(obs=1, action=1, context=1, reads_reward=True)


def beginner(algo: str, method: dict[str, Any] | None = None, **policy: Any) -> Any:
    """Return an untrained policy for the lever; `method` holds settings of the algorithm, `policy` of its networks."""
    return untrained(algo, SIZES, method=method, **{"hidden": (32,), "memory": 32, **policy})


def gap_closed(algo: str, policy: Any, iterations: int = 80) -> float:
    """Return where a policy ends between the best without memory (0) and the best when told (1)."""
    worlds = SignBandit(100)
    learn(worlds, learner_of(algo, policy, PpoConfig(lr=5e-3, minibatches=2, gamma=0.9)), iterations)
    low, high = worlds.best_without_memory, worlds.best_when_told
    return (trial_return(worlds, policy) - low) / (high - low)
