"""PEARL acts on what transitions say of a task, and the same with a posterior that never leaves the prior does not."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from sdk.algos.base import Sizes
from sdk.algos.pearl import Pearl
from sdk.nn.task_posterior import Natural, TransitionEncoder
from tests.sdk.toy_worlds import Offset, Recall, learn, trial_return
from tests.sdk.untrained import learner_of, untrained


class Blind(TransitionEncoder):
    """The negative control: factors that say nothing."""

    def forward(self, rows: Tensor) -> Natural:
        return Natural(*(0 * factor for factor in super().forward(rows)))


def gap_closed(blind: bool) -> float:
    """Return where a policy ends between not knowing what was shown once (0) and knowing it (1)."""
    method: dict[str, Any] = {"latent": 2, "encoder_hidden": (32,), "acts_on": "mean", "context": 3}
    policy = untrained("pearl", Sizes(1, 1, 1, reads_reward=False), method=method, hidden=(32, 32), log_std=0.0)
    if blind:
        policy.encoder.__class__ = Blind
    learning = {"lr": 1e-2, "gamma": 0.0, "tau": 0.05, "warm_up": 80, "batch": 16, "updates_per_step": 0.25}
    learner = learner_of("pearl", policy, **method, **learning, reward_scale=5.0, kl_weight=0.01)
    assert isinstance(learner, Pearl)
    learn(Recall(20), learner, iterations=14)
    return 1 - trial_return(Recall(200), policy) / Recall.of_not_knowing


def test_pearl_acts_on_what_it_inferred_and_blinded_it_cannot() -> None:
    assert gap_closed(blind=False) > 0.6
    assert gap_closed(blind=True) < 0.1


def earned_where_only_rewards_tell(told: bool) -> float:
    """Return what 6000 descents come to in other worlds of two kinds; where rewards are not told, nothing can be."""
    method: dict[str, Any] = {"latent": 2, "encoder_hidden": (64, 64), "tasks": 2, "batch": 32, "context": 8}
    method |= {"gamma": 0.0, "lr": 3e-3, "anneal": True, "tau": 0.05, "reward_scale": 5.0, "kl_weight": 0.001}
    method |= {"warm_up": 0, "updates_per_step": 0.3, "target_entropy": -2.0}
    policy = untrained("pearl", Sizes(1, 1, 1, told), method=method, hidden=(32,), log_std=0.0)
    learn(Offset(100), learner_of("pearl", policy, **method), iterations=20)
    return trial_return(Offset(300), policy)


@pytest.mark.learning
def test_it_infers_what_only_rewards_tell_and_not_without_them() -> None:
    assert earned_where_only_rewards_tell(True) > 0.6 * Offset.best_without_context
    assert earned_where_only_rewards_tell(False) < 0.95 * Offset.best_without_context
