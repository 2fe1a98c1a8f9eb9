"""PEARL acts on what transitions say of a task, and the same with a posterior that never leaves the prior does not."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sdk.algos.base import Sizes
from sdk.algos.pearl import Pearl
from sdk.nn.task_posterior import Natural, TransitionEncoder
from tests.sdk.toy_worlds import Recall, learn, trial_return
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
