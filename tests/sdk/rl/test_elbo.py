"""The bound against exact answers: closed forms, quadrature, and worlds whose evidence is known."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from sdk.nn.beliefs import Belief
from sdk.rl.elbo import chain_kl, elbo, gaussian_kl
from sdk.rl.objectives import gaussian_log_prob

STEPS, LATENT, OBS, SPREAD = 6, 2, 3, 0.7


def some_beliefs(*shape: int) -> Belief:
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(2)]
    return Belief(*(x.requires_grad_() for x in draws))


def test_kl_of_gaussians_is_that_of_torch() -> None:
    a, b = some_beliefs(4, 3), Belief(torch.full((4, 3), 0.3), torch.full((4, 3), -1.2))
    normals = [Normal(x.mean, (x.log_var / 2).exp()) for x in (a, b)]
    torch.testing.assert_close(gaussian_kl(a, b), kl_divergence(*normals))


def test_chain_kl_is_an_integral_over_each_belief_of_its_distance_from_the_one_before() -> None:
    beliefs = some_beliefs(5, 1, 1)
    z = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    densities = [Normal(0.0, 1.0).log_prob(z)]
    densities += [Normal(m.item(), math.exp(v.item() / 2)).log_prob(z) for m, v in zip(*beliefs, strict=True)]
    pairs = zip(densities[1:], densities, strict=False)
    expected = torch.stack([torch.trapezoid(now.exp() * (now - before), z) for now, before in pairs])
    torch.testing.assert_close(chain_kl(beliefs).flatten(), expected, rtol=1e-7, atol=1e-8)


def test_gradients_of_the_chain_reach_both_beliefs_of_a_pair() -> None:
    beliefs = some_beliefs(2, 1, 1)
    mean_first, mean_second = torch.autograd.grad(chain_kl(beliefs)[1].sum(), beliefs.mean)[0].flatten()
    pull = (beliefs.mean[1] - beliefs.mean[0]).item() / math.exp(beliefs.log_var[0].item())
    torch.testing.assert_close(torch.stack([mean_first, mean_second]), torch.tensor([-pull, pull]).double())
    assert torch.autograd.grad(chain_kl(beliefs)[1].sum(), beliefs.log_var)[0].all()


class LinearWorld:
    """z ~ N(0, I); x_t = A_t z + noise of spread `SPREAD`: posterior and evidence are exact.

    Expectations of quadratics under N(0, I) are exact means over 2L points, ±√L along each axis.
    """

    def __init__(self, diagonal: bool = True) -> None:
        generator = torch.Generator().manual_seed(1)
        self.maps = torch.randn(STEPS, OBS, LATENT, generator=generator, dtype=torch.float64)
        if diagonal:  # orthogonal columns: the posterior has no correlations, a diagonal belief can be exact
            self.maps = torch.linalg.qr(self.maps).Q * torch.tensor([1.5, 0.6])
        z = torch.randn(LATENT, generator=generator, dtype=torch.float64)
        self.x = self.maps @ z + SPREAD * torch.randn(STEPS, OBS, generator=generator, dtype=torch.float64)
        eye = math.sqrt(LATENT) * torch.eye(LATENT, dtype=torch.float64)
        self.noise = torch.cat([eye, -eye])

    def evidence(self) -> Tensor:
        stacked = self.maps.flatten(0, 1)
        covariance = stacked @ stacked.T + SPREAD**2 * torch.eye(len(stacked))
        return MultivariateNormal(torch.zeros(len(stacked)).double(), covariance).log_prob(self.x.flatten())

    def posterior(self, steps: int) -> Belief:
        """The mean and the marginal variances of z given the first `steps` observations."""
        precision = torch.eye(LATENT) + (self.maps[:steps].mT @ self.maps[:steps]).sum(0) / SPREAD**2
        mean = torch.linalg.solve(precision, (self.maps[:steps].mT @ self.x[:steps, :, None]).sum(0) / SPREAD**2)
        return Belief(mean[:, 0], -precision.diagonal().log())

    def log_likelihood(self, beliefs: Belief) -> Tensor:
        """`[B, T, N]` of all steps under beliefs `[B, L]`, N being the points of the expectation."""
        z = Belief(*(x[:, None] for x in beliefs)).sample(self.noise)
        foretold = torch.einsum("tol,bnl->btno", self.maps, z)
        return gaussian_log_prob(self.x[None, :, None], foretold, torch.full((1,), math.log(SPREAD)))

    def bound(self, belief: Belief) -> Tensor:
        one = Belief(*(x[None] for x in belief))
        return elbo(self.log_likelihood(one), chain_kl(one).sum(-1)[:, None]).mean()


def test_the_bound_is_the_exact_evidence_at_the_true_posterior_and_less_elsewhere() -> None:
    world = LinearWorld()
    exact, evidence = world.posterior(STEPS), world.evidence()
    torch.testing.assert_close(world.bound(exact), evidence)
    for i in range(20):
        mean, log_var = torch.randn(2, LATENT, generator=torch.Generator().manual_seed(i), dtype=torch.float64) / 3
        other = Belief(exact.mean + mean, exact.log_var + log_var)
        gap = gaussian_kl(other, exact).sum()
        torch.testing.assert_close(world.bound(other), evidence - gap)  # below it by exactly KL(q ‖ posterior)
        assert world.bound(other) < evidence


def test_no_diagonal_belief_reaches_the_evidence_where_the_posterior_is_correlated() -> None:
    world = LinearWorld(diagonal=False)
    assert world.bound(world.posterior(STEPS)) < world.evidence() - 1e-3


def test_along_the_chain_of_true_posteriors_bounds_of_single_steps_add_up_to_the_evidence() -> None:
    world = LinearWorld()
    posteriors = [world.posterior(t + 1) for t in range(STEPS)]
    beliefs = Belief(*(torch.stack(x) for x in zip(*posteriors, strict=True)))
    own = world.log_likelihood(beliefs).diagonal().T[:, None]  # log p(x_t | z_t) alone, [T, 1, N]
    bound = elbo(own, chain_kl(beliefs).sum(-1)[:, None]).mean()
    torch.testing.assert_close(bound * STEPS, world.evidence())


def test_a_random_choice_of_beliefs_leaves_the_bound_unbiased() -> None:
    log_likelihood, kl = torch.randn(STEPS, STEPS, 3), torch.rand(STEPS, 3)
    single = torch.stack([elbo(log_likelihood[t : t + 1], kl) for t in range(STEPS)])
    torch.testing.assert_close(single.mean(0), elbo(log_likelihood, kl))


def test_the_weight_scales_the_kl_alone() -> None:
    log_likelihood, kl = torch.randn(2, STEPS, 3), torch.rand(STEPS, 3)
    torch.testing.assert_close(elbo(log_likelihood, kl, 0.5), elbo(log_likelihood, kl) + 0.5 * kl.mean(0))
