"""Neural posterior estimation: a network learns from simulated worlds which parameters explain which measurements.

Papamakarios & Murray 2016, https://arxiv.org/abs/1605.06376; Greenberg et al. 2019, https://arxiv.org/abs/1905.07488;
the library `sbi`

    draw worlds θ around the estimate, within the prior                          `box`
    simulate them, and add what no parameter explains: x                         `neural`
    compress x to one number for each parameter                                  `compressed`
    fit the density q(θ | x), a masked autoregressive flow                       `learnt`
    draw θ from q(θ | measured), refusing what lies outside the box              `sampled`

Deviations: one round; x is compressed to the score of the first-order model (Alsing & Wandelt 2018), which loses
nothing where the simulator is linear, so that a few hundred simulations do; each simulation counts with several draws
of its noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from domain_rand.narrowing.information import for_each
from domain_rand.narrowing.prior import UNIFORM_SD, Prior
from domain_rand.narrowing.reweighting import normalised, resampled
from domain_rand.schema import ConfigError
from sdk.identify.estimate import Estimate, Predict
from sdk.identify.posterior import Posterior, spread
from sdk.identify.settings import Settings

WIDE = 5.0
"""Half-width of the box around the estimate, in standard deviations of the first-order posterior."""

NOISES = 4
"""Draws of what no parameter explains, for each simulated world."""

EDGE, CROWD = 0.02, 0.02
"""A face of the box that is none of the prior's may have this share of the draws within this share of its width."""


def neural(predict: Predict, target: np.ndarray, prior: Prior, estimate: Estimate, settings: Settings) -> Posterior:
    """Return draws of the learnt posterior. Raises `ConfigError` where `sbi` is missing."""
    require_sbi()
    rng = np.random.default_rng(settings.seed)
    low, high = box(estimate)
    points = low + (high - low) * rng.uniform(size=(settings.simulations, len(low)))
    outputs = np.repeat(predict(points), NOISES, axis=0)
    factor = for_each(np.linalg.cholesky(estimate.covariance), len(target))
    noise = np.einsum("nij,mnj->mni", factor, rng.standard_normal(outputs.shape))
    seen = compressed(outputs + noise, estimate)
    flow = learnt(np.repeat(points, NOISES, axis=0), seen, (low, high), settings.seed)
    found = sampled(flow, compressed(target[None], estimate)[0], 4 * settings.particles, settings.seed)
    weights = normalised(prior.log_density(found))
    facts = {"simulated": float(settings.simulations)}
    return Posterior(resampled(found, weights, settings.particles, rng), facts, crowded(found, low, high, prior.names))


def require_sbi() -> None:
    """Raise `ConfigError`, naming the extra, where the library is missing."""
    try:
        import sbi  # noqa: F401
    except ModuleNotFoundError:
        raise ConfigError("a neural posterior needs 'sbi': pip install 'simshift[identify]'") from None


def box(estimate: Estimate) -> tuple[np.ndarray, np.ndarray]:
    """Return lowest and highest points `[parameters]` of the worlds simulated: near the estimate, within the cube."""
    reach = WIDE * np.sqrt(np.diagonal(spread(estimate)))
    return np.clip(estimate.point - reach, 0.0, 1.0), np.clip(estimate.point + reach, 0.0, 1.0)


def compressed(outputs: np.ndarray, estimate: Estimate) -> np.ndarray:
    """Return (F + Λ)⁻¹ Σ JᵀC⁻¹(x − x₀) of outputs x `[m, n, outputs]`: `[m, parameters]`, about θ less the estimate.

    F, J, C and x₀ are the estimate's information, slopes, covariance and outputs; Λ is the prior's precision.
    """
    slopes = estimate.slopes.slopes
    weighted = np.einsum("nip,nij->njp", slopes, for_each(np.linalg.inv(estimate.covariance), len(slopes)))
    pull = np.einsum("njp,mnj->mp", weighted, outputs - estimate.slopes.at)
    return np.linalg.solve(estimate.fisher + np.eye(len(estimate.point)) / UNIFORM_SD**2, pull.T).T


def learnt(points: np.ndarray, seen: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], seed: int) -> Any:
    """Return the posterior density learnt from points `[m, parameters]` and what was seen of each `[m, statistics]`.

    The points must be uniform between the bounds. Torch's random state is left as it was.
    """
    import torch
    from sbi.inference import NPE
    from sbi.utils import BoxUniform

    low, high = (torch.tensor(edge, dtype=torch.float32) for edge in bounds)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inference = NPE(BoxUniform(low, high), density_estimator="maf", show_progress_bars=False, tracker=_Silent())
        inference.append_simulations(*(torch.tensor(rows, dtype=torch.float32) for rows in (points, seen)))
        flow = inference.train(training_batch_size=100, learning_rate=2e-3, stop_after_epochs=15)
        return inference.build_posterior(flow)


def sampled(posterior: Any, measured: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `[count, parameters]` draws given what was measured `[statistics]`, all within the bounds."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        given = torch.tensor(measured, dtype=torch.float32)
        return posterior.sample((count,), x=given, show_progress_bars=False).double().numpy()


def crowded(points: np.ndarray, low: np.ndarray, high: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a warning for each parameter whose draws crowd at a face of the box that is none of the prior's."""
    near = EDGE * (high - low)
    at_low = (low > 0) & ((points < low + near).mean(0) > CROWD)
    at_high = (high < 1) & ((points > high - near).mean(0) > CROWD)
    told = [name for name, end in zip(names, at_low | at_high, strict=True) if end]
    return tuple(f"the neural posterior of {name} reaches the end of the worlds simulated" for name in told)


class _Silent:
    """A tracker that keeps nothing: by default the library writes a folder where it is run."""

    log_dir = None

    def log_metric(self, name: str, value: float, step: int | None = None) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None: ...

    def log_params(self, params: dict[str, Any]) -> None: ...

    def add_figure(self, name: str, figure: Any, step: int | None = None) -> None: ...

    def flush(self) -> None: ...
