"""Episodes that do not depend on each other, side by side or one after the other: the same trial."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch

from sdk.algos.base import Sizes
from sdk.rl.abreast import abreast, episodes_abreast, in_order
from sdk.rl.rollout import Rollout, collect
from sdk.toys.base import ToyTrials, make_toy
from tests.sdk.algos.tiny_meta import METHOD
from tests.sdk.untrained import untrained

TRIALS, EVERY, ROUNDS = [3, 5, 8], 4, 2


def worlds(toy: str, **settings: Any) -> ToyTrials:
    return make_toy(toy, {"episodes": EVERY * (ROUNDS + 1), **settings}, size=len(TRIALS), seed=0)


def policy(of: ToyTrials, algo: str = "maml") -> Any:
    sizes = Sizes(of.obs_size, of.action_size, of.context_size, of.reads_reward, of.discrete)
    method = METHOD | {"rollouts": EVERY, "adaptations": ROUNDS}
    made = untrained(algo, sizes, method=method, hidden=(6,))
    torch.nn.init.orthogonal_(made.actor[-1].weight)
    return made.eval()


def both(of: ToyTrials, acting: Any, **settings: Any) -> tuple[Rollout, Rollout]:
    """Return a block as it is collected, and with its episodes one after the other."""
    together = collect(of, acting, TRIALS, seed=0, stream="train", **settings)
    of.plays_abreast = False
    return together, collect(of, acting, TRIALS, seed=0, stream="train", **settings)


@pytest.mark.parametrize("toy", ["corner", "navigation", "point_robot", "tabular_mdp"])
@pytest.mark.parametrize("explore", [True, False])
def test_the_block_is_that_of_episodes_one_after_the_other(toy: str, explore: bool) -> None:
    of = worlds(toy, **({"variant": "pomdp"} if toy == "point_robot" else {}))
    acting = policy(of)
    assert episodes_abreast(of, acting, of.trial_steps) == EVERY
    together, apart = both(of, acting, explore=explore)
    for field in fields(Rollout):
        one, other = getattr(together, field.name), getattr(apart, field.name)
        torch.testing.assert_close(one, other, rtol=0, atol=2e-3, msg=field.name)
    assert together.action.std(0).min() > 0


def test_the_last_reward_told_crosses_episodes_and_what_trains_need_not_be_it() -> None:
    of = worlds("point_robot", variant="oyster", dense_training=True)
    together, apart = both(of, policy(of))
    assert torch.equal(together.last_reward[: of.episode_steps], apart.last_reward[: of.episode_steps])
    assert not torch.equal(together.last_reward[1:, :, 0], together.reward[:-1])


def test_orders_are_each_other_s_inverse_and_places_hold_every_other_episode() -> None:
    x = torch.arange(2 * 3 * 4 * 2).reshape(24, 2)  # 2 batches of 3 episodes of 4 steps, 2 trials
    laid = abreast(x, 3, 4)
    assert laid[:, 2].tolist() == x[4:8, 0].tolist() + x[16:20, 0].tolist()
    assert torch.equal(in_order(laid, 3, 4), x)
    assert abreast(x, 1, 4) is x


@pytest.mark.parametrize("algo", ["maesn", "rl2"])
def test_a_policy_that_draws_for_episodes_or_remembers_them_plays_one_after_the_other(algo: str) -> None:
    of = worlds("navigation")
    sizes = Sizes(of.obs_size, of.action_size, of.context_size, of.reads_reward)
    method = METHOD | {"rollouts": EVERY} if algo == "maesn" else {}
    assert episodes_abreast(of, untrained(algo, sizes, method=method, hidden=(6,)), of.trial_steps) == 1


def test_a_trial_that_is_not_whole_batches_plays_one_after_the_other() -> None:
    of = worlds("navigation")
    assert episodes_abreast(of, policy(of), 5 * of.episode_steps) == 1
