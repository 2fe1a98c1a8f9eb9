from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from sdk.algos.base import Sizes
from sdk.nn.decoders import RewardKind, TrialDecoder, reward_log_prob, waves
from sdk.rl.objectives import gaussian_log_prob
from sdk.rl.rollout import Rollout

BELIEFS, STEPS, TRIALS, LATENT, SIZES = 2, 5, 3, 4, Sizes(obs=2, action=3, context=1, reads_reward=True)


def rollout() -> Rollout:
    widths = {"obs": SIZES.obs, "final_obs": SIZES.obs, "action": SIZES.action}
    parts = {name: torch.randn(STEPS, TRIALS, widths.get(name, 1)) for name in Rollout.__dataclass_fields__}
    return Rollout(**{**parts, "reward": torch.randn(STEPS, TRIALS)})


def decoder(reward: RewardKind | None, motion: bool) -> TrialDecoder:
    made = TrialDecoder(SIZES, LATENT, (8, 8), reward, motion, wave_count=2)
    made.observe(rollout())
    return made


@pytest.mark.parametrize(("reward", "motion"), [("gaussian", False), ("bernoulli", True), (None, True)])
def test_every_latent_foretells_every_step_of_its_own_trial(reward: RewardKind | None, motion: bool) -> None:
    model, trials, latent = decoder(reward, motion), rollout(), torch.randn(BELIEFS, TRIALS, LATENT)
    together = model.log_likelihood(latent, trials)
    assert together.shape == (BELIEFS, STEPS, TRIALS)
    for b, t, n in torch.cartesian_prod(*map(torch.arange, together.shape)).tolist():
        alone = Rollout(**{name: x[t : t + 1, n : n + 1] for name, x in vars(trials).items()})
        torch.testing.assert_close(
            model.log_likelihood(latent[b : b + 1, n : n + 1], alone)[0, 0, 0], together[b, t, n]
        )


def moved(model: TrialDecoder, trials: Rollout, name: str) -> Tensor:
    """Steps `[T]` of which the likelihood changes when one field changes at step 2."""
    changed = getattr(trials, name).clone()
    changed[2] += 0.1
    latent = torch.randn(BELIEFS, TRIALS, LATENT)
    other = dataclasses.replace(trials, **{name: changed})
    return (model.log_likelihood(latent, trials) != model.log_likelihood(latent, other)).any(-1).any(0)


@pytest.mark.parametrize("name", ["final_obs", "obs", "action"])
@pytest.mark.parametrize(("reward", "motion"), [("gaussian", False), (None, True)])
def test_a_step_is_where_it_began_what_was_done_and_where_it_truly_ended(
    name: str, reward: RewardKind | None, motion: bool
) -> None:
    trials = rollout()
    trials.action.clamp_(-0.9, 0.8)
    assert moved(decoder(reward, motion), trials, name).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("late", [False, True])
def test_the_action_before_is_read_only_for_late_commands(late: bool) -> None:
    trials = dataclasses.replace(rollout(), last_action=torch.rand(STEPS, TRIALS, SIZES.action))
    model = TrialDecoder(SIZES, LATENT, (8, 8), "gaussian", motion=True, late=late)
    assert moved(model, trials, "last_action").tolist() == [False, False, late, False, False]


def test_actions_are_read_as_the_world_received_them() -> None:
    trials, latent = rollout(), torch.randn(BELIEFS, TRIALS, LATENT)
    model, far = decoder(None, True), dataclasses.replace(trials, action=trials.action.sign() * 5)
    at_limit = dataclasses.replace(trials, action=trials.action.sign())
    assert torch.equal(model.log_likelihood(latent, far), model.log_likelihood(latent, at_limit))


def test_reward_likelihoods() -> None:
    reward, foretold = torch.tensor([-0.1, 1.0]), torch.tensor([0.4, 2.0])
    expected = torch.tensor([math.log(1 - torch.sigmoid(foretold[0])), math.log(torch.sigmoid(foretold[1]))])
    torch.testing.assert_close(reward_log_prob(reward, foretold, "bernoulli"), expected)
    gaussian = gaussian_log_prob(reward[:, None], foretold[:, None], torch.zeros(1))
    torch.testing.assert_close(reward_log_prob(reward, foretold, "gaussian"), gaussian)


def test_waves_tell_the_five_places_of_an_axis_apart_linearly() -> None:
    seen = waves(torch.linspace(-2, 2, 5)[:, None], 3)
    assert seen.shape == (5, 7)
    assert torch.linalg.matrix_rank(seen) == 5
