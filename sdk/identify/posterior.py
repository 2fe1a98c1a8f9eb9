"""Three ways from an estimate to a distribution over worlds, as particles in the prior's cube."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from domain_rand.narrowing import dropo, simopt
from domain_rand.narrowing.prior import UNIFORM_SD, Prior
from domain_rand.narrowing.reweighting import WIDER, Gaussian, posterior, reflected
from sdk.identify.estimate import Estimate, Predict, log_likelihood, minimise
from sdk.identify.settings import Settings

DROPO_EVALUATIONS = 1500


class Posterior(NamedTuple):
    """Particles `[n, parameters]` in the cube, what to say of them, and warnings."""

    points: np.ndarray
    facts: dict[str, float]
    warnings: tuple[str, ...] = ()


def reweighted(predict: Predict, target: np.ndarray, prior: Prior, estimate: Estimate, settings: Settings) -> Posterior:
    """EPOpt's update, with the simulator itself, from the Gaussian that the estimate's information gives."""
    start = Gaussian(np.clip(estimate.point, 0.02, 0.98), WIDER**2 * spread(estimate))
    found = posterior(
        lambda points: log_likelihood(predict(points), target, estimate.covariance),
        prior,
        np.random.default_rng(settings.seed),
        start,
        settings.particles,
        settings.rounds,
    )
    facts = {"effective_share": found.effective, "rounds": float(found.rounds)}
    few = found.effective * settings.particles < 10
    warnings = ("the weights of the last round lie on fewer than 10 worlds: more particles or rounds",) if few else ()
    return Posterior(found.points, facts, warnings)


def spread(estimate: Estimate) -> np.ndarray:
    """Return the covariance `[parameters, parameters]` that information and prior leave."""
    return np.linalg.inv(estimate.fisher + np.eye(len(estimate.point)) / UNIFORM_SD**2)


def likeliest(target: np.ndarray, estimate: Estimate, settings: Settings) -> Posterior:
    """DROPO's mean and spread, on the first-order model of the simulator at the estimate.

    The particles are spread by what the segments leave open of the mean as well: of one machine, that is nearly all.
    """
    slopes, k = estimate.slopes, len(estimate.point)
    rng = np.random.default_rng(settings.seed)

    def simulate(points: np.ndarray) -> np.ndarray:
        return slopes.at + np.einsum("nip,mp->mni", slopes.slopes, points - estimate.point)

    def search(objective, start, low, high):  # type: ignore[no-untyped-def]
        def scaled(points: np.ndarray) -> list[float]:
            return [objective(low + point * (high - low)) for point in points]

        place = (np.concatenate([estimate.point, start[k:]]) - low) / (high - low)
        return low + minimise(scaled, place, 0.0, 1.0, DROPO_EVALUATIONS, settings.seed) * (high - low)

    epsilon = settings.epsilon or float(np.median(np.diagonal(estimate.covariance, axis1=-2, axis2=-1)))
    cube = np.zeros(k), np.ones(k)
    found = dropo.fit(simulate, target, cube, epsilon, search, rng)
    warning = f"epsilon = {epsilon:.2g} rad² is too small: the spread reaches the prior's range; raise it"
    points = normals(found.mean, np.diag(found.sd**2) + spread(estimate), settings.particles, rng)
    facts = {"epsilon": epsilon, "log_likelihood": found.log_likelihood}
    return Posterior(points, facts, (warning,) if found.too_small else ())


def stepped(estimate: Estimate, settings: Settings) -> Posterior:
    """SimOpt's step from the prior towards the estimate, no further than the KL bound, nor than the segments can tell.

    Their likelihood is the step of temperature 1; colder ones end in a point.
    """
    k = len(estimate.point)
    prior = np.full(k, 0.5), np.eye(k) * UNIFORM_SD**2
    told = simopt.kl_gaussians(*simopt.tilted(*prior, estimate.point, estimate.fisher, 1.0), *prior)
    mean, covariance = simopt.step(*prior, estimate.point, estimate.fisher, min(settings.kl, told))
    rng = np.random.default_rng(settings.seed)
    points = normals(np.clip(mean, 0.0, 1.0), covariance, settings.particles, rng)
    return Posterior(points, {"kl": simopt.kl_gaussians(mean, covariance, *prior)})


def normals(mean: np.ndarray, covariance: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return normal points `[count, parameters]`, those beyond a face of the cube folded back inside."""
    return reflected(mean + rng.standard_normal((count, len(mean))) @ np.linalg.cholesky(covariance).T)
