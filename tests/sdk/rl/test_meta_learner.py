"""The outer loop, in a world whose trials end their episodes at different times."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.config import TrainConfig
from sdk.engines.local import make_worlds
from sdk.rl.episodes import batches, masked_mean
from sdk.rl.meta_learner import MetaLearner, Trials
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.rollout import Rollout, collect
from sdk.rl.trust_region import curvature
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import output_layer, untrained

METHOD: dict[str, Any] = {"rollouts": 1, "inner_steps": 1, "gamma": 0.9}
SIZES = Sizes(obs=2, action=1, context=1, reads_reward=True)


def learner(**changes: Any) -> MetaLearner:
    settings = METHOD | changes
    policy = untrained("maml", SIZES, method=settings, hidden=(6,))
    nn.init.orthogonal_(output_layer(policy).weight)
    return MetaLearner(policy, MetaConfig.parse(settings))


def rollout(of: MetaLearner, trials: int = 6) -> Rollout:
    return collect(TwoArms(trials), of.policy, list(range(trials)), seed=0, stream="train")


def trials_of(of: MetaLearner, seen: Rollout) -> Trials:
    return of.trials(seen)[0]


def test_the_learner_s_inner_step_is_the_one_that_was_acted_on() -> None:
    """Adapted in collection, trial by trial where its episode ended; adapted again, all at once, in the update."""
    of = learner(inner_lr=5.0)
    seen = rollout(of)
    query = trials_of(of, seen)
    there = batches(Rollout(**{**vars(seen), "reward": seen.log_prob}), 1, 2)[-1]
    found = query.old.log_prob(query.query.action)
    torch.testing.assert_close(found * query.query.mask, there.reward * query.query.mask, rtol=1e-4, atol=1e-5)
    unadapted = of.policy.actions(query.query, torch.zeros(6, of.policy.carry_spec[0].shape[0]))
    off = (unadapted.log_prob(query.query.action) - there.reward) * query.query.mask
    assert off.abs().max() > 0.05


def by_differences(of: MetaLearner, trials: Trials, width: float = 1e-4) -> Tensor:
    start = nn.utils.parameters_to_vector(of.parameters).detach()
    rows = []
    for i in range(len(start)):
        values = []
        for sign in (1, -1):
            moved = start.clone()
            moved[i] += sign * width
            nn.utils.vector_to_parameters(moved, of.parameters)
            with torch.no_grad():
                values.append(of.objective(trials)[0])
        rows.append((values[0] - values[1]) / (2 * width))
    nn.utils.vector_to_parameters(start, of.parameters)
    return torch.stack(rows)


def doubled(of: MetaLearner, trials: Trials) -> Trials:
    of.policy.double()
    support, query = [type(x)(*(y.double() for y in x)) for x in trials.support], trials.query
    *played, old = [type(x)(*(y.double() for y in vars(x).values())) for x in (*trials.played, trials.old)]
    return Trials(support, played, type(query)(*(y.double() for y in query)), old, trials.advantage.double())


@pytest.mark.parametrize("first_order", [False, True])
def test_the_meta_gradient_goes_through_the_inner_step(first_order: bool) -> None:
    of = learner(inner_lr=3.0, first_order=first_order)
    trials = doubled(of, trials_of(of, rollout(of)))
    of.policy.blank = lambda size: torch.zeros(size, of.policy.carry_spec[0].shape[0]).double()  # type: ignore[method-assign]
    surrogate, kl = of.objective(trials)
    found = torch.cat([g.flatten() for g in torch.autograd.grad(surrogate, of.parameters)])
    exact = by_differences(of, trials)
    assert bool(torch.allclose(found, exact, rtol=1e-3, atol=1e-5)) is not first_order
    assert float(kl.detach()) < 1e-4


def test_an_update_gains_and_moves_no_further_than_allowed() -> None:
    of = learner(max_kl=0.02)
    seen = rollout(of, 40)
    statistics = of.update(seen, 0, 0.0)
    assert statistics["surrogate"] > 0
    assert 0 < statistics["kl"] <= 0.02
    assert statistics["batch_0"] != statistics["batch_1"]
    assert of.policy.reward_range.tolist() == [seen.reward.min(), seen.reward.max()]


@pytest.mark.parametrize("inner_gradients_fixed", [False, True])
def test_curvature_foretells_how_far_a_step_moves_the_adapted_policies(inner_gradients_fixed: bool) -> None:
    of = learner(inner_lr=20.0)
    trials = trials_of(of, rollout(of, 40))
    direction = torch.randn(sum(p.numel() for p in of.parameters), generator=torch.Generator().manual_seed(1))
    of.settings = of.settings.model_copy(update={"first_order": inner_gradients_fixed})
    foretold = 0.5 * direction @ curvature(of.divergence(trials), of.parameters, 0.0)(direction)
    width, start = 1e-2, nn.utils.parameters_to_vector(of.parameters).detach()
    with torch.no_grad():
        nn.utils.vector_to_parameters(start + width * direction, of.parameters)
        moved = float(of.objective(trials)[1]) / width**2
    off = abs(moved / float(foretold) - 1)
    assert off > 0.3 if inner_gradients_fixed else off < 0.1


def test_adam_may_stand_in_for_the_trust_region() -> None:
    of = learner(outer="adam", lr=1e-2)
    assert of.update(rollout(of, 40), 0, 0.0)["surrogate"] > 0


def test_a_trial_too_short_for_the_steps_asked_for_is_refused() -> None:
    toy = {"name": "navigation", "settings": {"episodes": 4}}
    config = TrainConfig(algo="maml", toy=toy, method={"rollouts": 2, "inner_steps": 1})  # type: ignore[arg-type]
    worlds = make_worlds(config, size=1, seed=0)
    assert played(config, worlds) == 400
    longer = config.model_copy(update={"method": {"rollouts": 2, "inner_steps": 2}})
    with pytest.raises(ConfigError, match="take 6 episodes, and a trial has 4"):
        played(longer, worlds)


def test_a_world_without_rewards_to_report_is_refused() -> None:
    with pytest.raises(ConfigError, match="adapts by the rewards"):
        untrained("maml", Sizes(obs=2, action=1, context=1, reads_reward=False))


def test_the_mean_over_steps_that_count() -> None:
    mask = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert masked_mean(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), mask).tolist() == [2.0, 0.0]


def test_against_a_level_a_single_step_says_whether_it_paid() -> None:
    of = learner(reward_level=0.25)
    (batch, *_) = batches(rollout(of), 1, 1)
    by_hand = torch.zeros_like(batch.reward)
    for t in reversed(range(len(by_hand))):
        ahead = by_hand[t + 1] if t + 1 < len(by_hand) else torch.zeros(6)
        by_hand[t] = batch.mask[t] * (batch.reward[t] - 0.25 + 0.9 * ahead)
    torch.testing.assert_close(of.policy.advantages(batch), by_hand)
    first = batch._replace(mask=batch.mask * (batch.time == 0))
    assert (of.policy.advantages(first)[0] - (first.reward[0] - 0.25)).abs().max() < 1e-6
    assert learner().policy.advantages(first).abs().max() < 1e-3  # the baseline explains a single step away


def test_batches_before_the_last_count_as_much_as_they_are_given() -> None:
    objectives, seen = {}, rollout(learner(), 12)
    for weight in (0.0, 0.5, 1.0):
        of = learner(early_weight=weight)
        objectives[weight] = torch.autograd.grad(of.objective(trials_of(of, seen))[0], of.parameters)
    none, half, whole = (torch.cat([g.flatten() for g in gradient]) for gradient in objectives.values())
    torch.testing.assert_close(half - none, 0.5 * (whole - none))
    (first, *_), of = batches(seen, 1, 1), learner()
    advantage = of.policy.advantages(first)
    likelier = masked_mean(of.policy.actions(first, of.policy.blank(12)).log_prob(first.action) * advantage, first.mask)
    by_hand = torch.autograd.grad(likelier.mean(), of.parameters)
    torch.testing.assert_close(whole - none, torch.cat([g.flatten() for g in by_hand]), rtol=1e-4, atol=1e-6)


def test_later_steps_may_be_shorter() -> None:
    of, timid = learner(), learner(later_share=0.25)
    (batch, *_) = batches(rollout(of), 1, 1)
    size = of.policy.carry_spec[0].shape[0]
    blank, moved = torch.zeros(6, size), torch.full((6, size), 0.01)
    whole, short = ([p.policy.adapted_by(batch, x) - x for x in (blank, moved)] for p in (of, timid))
    torch.testing.assert_close(short[0], whole[0])
    torch.testing.assert_close(short[1], 0.25 * whole[1], rtol=1e-3, atol=1e-6)
