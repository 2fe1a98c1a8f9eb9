"""MAESN: what adapts, by how much, and that a task leaves the prior as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from sdk.algos.base import Sizes, find_algorithm
from sdk.algos.maesn import held_together, latent, latent_kl, spread_noise
from sdk.config import PolicyConfig, TrainConfig
from sdk.rl.episodes import Episodes, batches
from sdk.rl.rollout import collect
from tests.sdk.algos.tiny_meta import METHOD, learner, rollout
from tests.sdk.toy_worlds import TwoArms

TINY: dict[str, Any] = {"latent": 2, "inner_lr": 0.7}


def test_the_divergence_from_the_prior_in_closed_form() -> None:
    mean, log_std = torch.tensor([[0.3, -1.0], [0.0, 0.0]]), torch.tensor([[0.2, -0.5], [0.0, 0.0]])
    exact = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(latent_kl(torch.cat([mean, log_std], -1)), exact)
    assert exact[1] == 0


class LatentIsTheAction:
    """What replaces the network: the mean action is the first number of the latent, whatever is seen."""

    def __init__(self, policy: Any) -> None:
        self.policy = policy

    def __call__(self, obs: Tensor, adapted: Tensor, noise: Tensor) -> Tensor:
        return latent(adapted[:, :4], noise)[..., :1]


def test_the_latent_update_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a ~ N(z, s²): ∂ log π/∂μ = (a − z)/s², ∂ log π/∂ log σ = (a − z)/s² · σ ε."""
    of = learner("maesn", **TINY)
    policy, seen = of.policy, rollout(of.policy)
    monkeypatch.setattr(policy, "with_latent", LatentIsTheAction(policy))
    (batch, _) = batches(seen, 1, 2)
    moved = policy.adapted_by(batch, policy.blank(8))
    variance = (2 * policy.log_std).exp()
    pull = (batch.action - batch.luck[..., :1]) / variance * policy.advantages(batch)[..., None]
    mask, count = batch.mask[..., None], batch.mask.sum(0)[:, None]
    by_mean, by_spread = ((pull * x * mask).sum(0) / count for x in (torch.ones(1), batch.luck[..., :1]))
    expected = torch.cat([by_mean, torch.zeros(8, 1), by_spread, torch.zeros(8, 1)], -1) * 0.7
    torch.testing.assert_close(moved.detach(), expected.detach())
    assert expected.abs().max() > 1e-2


def test_the_noise_of_a_batch_is_normal_and_points_evenly_in_all_directions() -> None:
    rng = np.random.default_rng(0)
    noise = spread_noise(rng, batches=4000, rollouts=5, size=3)
    assert noise.shape == (20000, 3)
    for numbers in noise.T:
        quantile = Normal(0.0, 1.0).cdf(torch.from_numpy(numbers)).numpy()
        assert np.abs(np.bincount((10 * quantile).astype(int), minlength=10) - 2000).max() < 200

    def evenly(pairs: np.ndarray) -> float:
        """The share of batches whose five first pairs point a fifth of a turn apart."""
        turns = np.sort((np.arctan2(pairs[:, 1], pairs[:, 0]) / (2 * np.pi) % 1.0).reshape(-1, 5))
        return float((np.abs(np.diff(turns) - 0.2) < 1e-6).all(1).mean())

    assert evenly(noise) == 1.0
    assert evenly(rng.standard_normal((20000, 2))) == 0.0


def test_tasks_together_stay_within_what_a_new_one_begins_with() -> None:
    torch.manual_seed(0)
    outgrown = torch.cat([3.0 + 4.0 * torch.randn(50, 2), 0.5 * torch.randn(50, 2)], -1)
    mean, log_std = held_together(outgrown).chunk(2, -1)
    torch.testing.assert_close(mean.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close((mean**2 + (2 * log_std).exp()).mean(0), torch.ones(2))
    drawn = latent(torch.cat([mean, log_std], -1).repeat(4000, 1), torch.randn(200_000, 2))
    torch.testing.assert_close(drawn.std(0), torch.ones(2), atol=0.02, rtol=0)
    ours, before = (x.chunk(2, -1) for x in (held_together(outgrown), outgrown))
    torch.testing.assert_close(
        (ours[0] - ours[0][0]) / ours[1].exp(), (before[0] - before[0][0]) / before[1].exp()
    )  # seen in their own spreads, tasks are as far apart as before
    prior = torch.zeros(7, 4)
    assert torch.equal(held_together(prior), prior)


def test_a_task_moves_its_latent_and_not_the_prior() -> None:
    of = learner("maesn", **TINY)
    policy, seen = of.policy, rollout(of.policy)
    _, last = of.trials(seen)
    assert last.shape == (8, 4)
    assert (last.norm(dim=-1) > 1e-4).all()
    of.update(seen, 0, 0.0)
    assert not policy.initial_carry(2)[0].any()  # μ = 0, log σ = 0
    assert latent_kl(policy.blank(2)).tolist() == [0, 0]


def test_weights_adapt_where_asked_to() -> None:
    of = learner("maesn", adapt_weights=True, **TINY)
    _, last = of.trials(rollout(of.policy))
    assert last.shape[1] > 4
    assert (last[:, 4:].norm(dim=-1) > 1e-4).all()


def test_the_noise_is_one_an_episode_and_each_world_s_own() -> None:
    of = learner("maesn", **TINY)
    seen = rollout(of.policy)
    assert seen.luck.shape == (6, 8, 2)
    starts = seen.episode_start[1:, :, 0].bool()
    changes = (seen.luck[1:] != seen.luck[:-1]).all(-1)
    assert torch.equal(changes[:4], starts[:4])  # two episodes are drawn for, as training plays
    assert len(np.unique(seen.luck[0].numpy(), axis=0)) == 8
    alone = collect(TwoArms(1), of.policy, [5], seed=0, stream="train")
    assert torch.equal(alone.luck[:, 0], seen.luck[:, 5])


def test_adapt_finds_which_noise_each_step_was_played_with() -> None:
    """From the memory alone, as on a robot; episodes of several lengths, two in a batch."""
    of = learner("maesn", rollouts=2, **TINY)
    policy, seen = of.policy, rollout(of.policy)
    (batch,) = batches(seen, 2, 1)
    carry = policy.with_luck(policy.initial_carry(8), [np.random.default_rng(i) for i in range(8)])
    noise = carry[1]
    played_with = batch._replace(luck=torch.stack([noise[:, 0], noise[:, 1]])[_episode_of(batch), torch.arange(8)])
    ended = (carry[0], noise, torch.full((8, 1), 2.0))
    expected = policy.adapted_by(played_with, carry[0])
    adapted, same, count = policy.adapt(tuple(batch)[:5], ended)
    torch.testing.assert_close(adapted, expected)
    assert torch.equal(same, noise)
    assert torch.equal(count, ended[2])
    other = policy.adapt(tuple(batch)[:5], (carry[0], noise.flip(1), ended[2]))[0]
    assert (other - expected).abs().max() > 1e-4


def _episode_of(batch: Episodes) -> Tensor:
    return ((batch.time == 0) * batch.mask).cumsum(0).clamp(1, 2).long() - 1


def test_far_latents_cost() -> None:
    def divergence(weight: float) -> float:
        of = learner("maesn", kl_weight=weight, outer="adam", lr=1e-2, outer_steps=20, latent=2, inner_lr=5.0)
        of.update(seen := rollout(of.policy, 40), 0, 0.0)
        _, last = of.trials(seen)
        return float(latent_kl(last).mean())

    assert divergence(10.0) < 0.5 * divergence(0.0)


def with_own(**changes: Any) -> Any:
    """A learner whose eight tasks have distributions of their own."""
    of = learner("maesn", **TINY, **changes)
    config = TrainConfig(algo="maesn", policy=PolicyConfig(hidden=(6,)), method=METHOD | TINY | changes, worlds=8)
    policy = find_algorithm("maesn").build(Sizes(obs=2, action=1, context=1, reads_reward=True), config)
    policy.load_state_dict(of.policy.state_dict(), strict=False)
    return find_algorithm("maesn").learner(policy, config)


def test_distributions_of_tasks_begin_as_the_prior_to_the_bit() -> None:
    plain, own = learner("maesn", **TINY), with_own()
    seen = [rollout(of.policy) for of in (plain, own)]
    assert torch.equal(seen[0].action, seen[1].action)
    own.worlds = list(range(8))
    trials = [of.trials(rows)[0] for of, rows in zip((plain, own), seen, strict=True)]
    assert torch.equal(plain.objective(trials[0])[0], own.objective(trials[1])[0])


def test_a_task_is_played_and_learned_from_where_its_own_distribution_begins() -> None:
    of = with_own()
    with torch.no_grad():
        of.policy.tasks.copy_(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)))
    seen = rollout(of.policy)
    of.worlds = list(range(8))
    trials, _ = of.trials(seen)
    counted = trials.support[0].mask > 0
    there = trials.played[0].log_prob(trials.support[0].action)[counted]
    torch.testing.assert_close(there, seen.log_prob[: len(counted)][counted])
    of.policy.eval()
    carry = of.policy.of_worlds(of.policy.initial_carry(2), [0, 1])
    assert torch.equal(carry[0], torch.zeros_like(carry[0]))  # a new task: the prior


@pytest.mark.parametrize("kept", [False, True])
def test_the_spread_of_actions_may_be_kept(kept: bool) -> None:
    of = learner("maesn", **TINY, outer="adam", keep_spread=kept)
    before = of.policy.log_std.detach().clone()
    of.update(rollout(of.policy), 0, 0.0)
    assert torch.equal(of.policy.log_std, before) is kept


def test_only_tasks_that_were_played_learn_their_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdk.algos.maesn.held_together", lambda variational: variational)
    of = with_own(outer="adam")
    seen = collect(TwoArms(3), of.policy, [3, 4, 5], seed=0, stream="train")
    of.update(seen, 1, 0.0)
    moved = (of.policy.tasks != 0).any(-1)
    assert moved.tolist() == [False] * 3 + [True] * 3 + [False] * 2
