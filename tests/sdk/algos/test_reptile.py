from __future__ import annotations

import pytest
import torch

from sdk.algos.reptile import absorb, towards
from sdk.nn.adapting import AdaptableMlp
from sdk.rl.inner_step import gradient_step
from tests.sdk.algos.tiny_meta import learner, rollout

ALPHA = 0.3
GOALS = torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.0, 1.0]], dtype=torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_way_to_the_mean_of_quadratic_tasks_is_exact(steps: int, share: float) -> None:
    shared, change = torch.tensor([0.4, 0.7], dtype=torch.float64), torch.zeros_like(GOALS)
    for _ in range(steps):
        change = gradient_step(
            lambda x: 0.5 * (shared + x - GOALS).square().sum(-1), change, ALPHA, max_norm=1e9, first_order=True
        )
    expected = share * (1 - (1 - ALPHA) ** steps) * (GOALS.mean(0) - shared)
    torch.testing.assert_close(towards(change, share), expected, rtol=1e-12, atol=1e-12)


def test_absorbed_weights_do_what_adapted_ones_did() -> None:
    torch.manual_seed(0)
    actor, x = AdaptableMlp([3, 5, 2], 1.0), torch.randn(1, 7, 3)
    change = torch.randn(actor.adapted)
    before = actor(x, change[None])
    absorb(actor, change)
    torch.testing.assert_close(actor(x, torch.zeros(1, actor.adapted)), before)


def test_with_one_task_an_update_ends_where_that_task_did() -> None:
    of = learner("reptile", inner_lr=10.0)
    seen, actor, x = rollout(of.policy, trials=1), of.policy.actor, torch.randn(1, 7, 2)
    nothing = torch.zeros(1, actor.adapted)
    before = actor(x, nothing)
    statistics = of.update(seen, 0, 0.0)
    assert statistics["step"] == pytest.approx(statistics["inner_norm"], rel=1e-5)
    assert statistics["step"] > 0.1
    assert not torch.allclose(actor(x, nothing), before, atol=1e-2)


def test_steps_shrink_to_nothing_at_the_end() -> None:
    of = learner("reptile")
    assert of.update(rollout(of.policy), 9, 1.0)["step"] == 0
