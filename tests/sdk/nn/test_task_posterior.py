"""A product of Gaussians is the posterior it claims to be, in any order, all at once or one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdk.algos.base import Sizes
from sdk.nn.task_posterior import Natural, TransitionEncoder, prior, product

COUNT, LATENT = 12, 3


def factors(count: int = COUNT, seed: int = 0) -> Natural:
    rng = torch.Generator().manual_seed(seed)
    precision = torch.rand(count, 1, LATENT, generator=rng) + 0.1
    return Natural(precision, precision * torch.randn(count, 1, LATENT, generator=rng))


def test_the_product_is_the_posterior_of_a_linear_gaussian_world() -> None:
    """z ~ N(0, I), x_n = z + noise of variance v_n: conditioning the joint Gaussian gives mean and covariance."""
    rng = np.random.default_rng(0)
    variance, x = rng.uniform(0.2, 3, COUNT), rng.normal(size=COUNT)
    joint = np.ones((COUNT, COUNT)) + np.diag(variance)
    gain = np.linalg.solve(joint, np.ones(COUNT))
    precision = torch.from_numpy(1 / variance)[:, None, None]
    given = Natural(precision, precision * torch.from_numpy(x)[:, None, None])
    one = Natural(*(n.double() for n in prior(1)))
    mean, log_var = product(one, given, torch.ones(COUNT, 1, dtype=torch.double)).belief
    assert float(mean) == pytest.approx(gain @ x)
    assert float(log_var.exp()) == pytest.approx(1 - gain.sum())


def test_what_does_not_count_changes_nothing_and_of_nothing_the_prior_remains() -> None:
    given, counts = factors(), (torch.arange(COUNT) < 5).float()[:, None]
    some = product(prior(LATENT), given, counts)
    torch.testing.assert_close(some, product(prior(LATENT), Natural(*(f[:5] for f in given)), torch.ones(5, 1)))
    mean, log_var = product(prior(LATENT), given, torch.zeros(COUNT, 1)).belief
    assert torch.equal(mean, torch.zeros(1, LATENT))
    assert torch.equal(log_var, torch.zeros(1, LATENT))


def test_order_does_not_matter() -> None:
    given, order = factors(), torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))
    there, back = (
        product(prior(LATENT), g, torch.ones(COUNT, 1)) for g in (given, Natural(*(f[order] for f in given)))
    )
    torch.testing.assert_close(there.belief, back.belief, rtol=0, atol=1e-6)


def test_one_by_one_over_a_thousand_is_all_at_once() -> None:
    given, stream = factors(1000), Natural(*(n[None] for n in prior(LATENT)))
    for i in range(1000):
        stream = product(stream, Natural(*(f[i : i + 1] for f in given)), torch.ones(1, 1))
    batch = product(prior(LATENT), given, torch.ones(1000, 1))
    torch.testing.assert_close(stream.belief, batch.belief, rtol=0, atol=1e-6)


@pytest.mark.parametrize("next_obs", [True, False])
@pytest.mark.parametrize("reads_reward", [True, False])
def test_a_factor_reads_reward_and_outcome_only_where_told_to(next_obs: bool, reads_reward: bool) -> None:
    torch.manual_seed(0)
    encoder = TransitionEncoder(Sizes(2, 1, 1, reads_reward), (8,), LATENT, next_obs)
    row = [torch.randn(5, n) for n in (2, 1, 1, 1, 2)]
    before = encoder(encoder.rows(*row))
    assert (before.precision > 0).all()
    for i, read in enumerate((True, reads_reward, True, reads_reward, next_obs)):
        other = [x + 1.0 * (i == k) for k, x in enumerate(row)]
        other[4] = other[4] + 1.0 * (i == 0)  # the motion stays as it was
        assert torch.equal(encoder(encoder.rows(*other)).weighted, before.weighted) is not read
