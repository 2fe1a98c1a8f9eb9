"""A bank of training worlds, each a linear model of the robot's motion: does any of them explain what is seen?

Each world k foretells the change of the sensed signals from features φ of the last reading and the last commands:
y ≈ φᵀ W_k with noise σ_k. The belief over the bank is Bayesian with exponential forgetting; what the believed worlds
leave unexplained is added up. A motion inside the training range has a neighbour in the bank, one outside has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.manifest import CarryState
from sdk.rl.rollout import Carry

LAGS = 4
"""Commands that are looked back on: longer than the longest actuator delay of most robots."""

FORGET, FIT, BIAS, MEMORY = 100.0, 60.0, 60.0, 15.0
"""Steps over which belief, misfit, bias and memory look back."""

CLIP = 5.0
STATISTICS = ("fit", "bias", "memory")


def features(obs: Tensor, actions: Tensor) -> Tensor:
    """Return φ `[…, F]` of standardised readings `[…, O]` and commands `[…, L·A]`.

    With few signals also their squares, products and cubes: gravity and friction are not linear.
    """
    parts = [torch.ones_like(obs[..., :1]), obs, actions]
    if obs.shape[-1] <= 6:
        parts += [obs[..., i : i + 1] * obs[..., i:] / 3 for i in range(obs.shape[-1])]
        parts += [obs**3 / 9]
    return torch.cat(parts, -1)


def fit_worlds(phi: Tensor, change: Tensor, live: Tensor, ridge: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return weights `[N, F, O]` and noise `[N, O]` of each world by ridge regression towards their common model.

    `phi` `[T, N, F]`, `change` `[T, N, O]`; `live` `[T, N, 1]` is 0 where no step leads from one row to the next.
    """
    seen = phi * live
    gram, cross = torch.einsum("tnf,tng->nfg", seen, phi), torch.einsum("tnf,tno->nfo", seen, change)
    eye = torch.eye(phi.shape[-1])
    common = torch.linalg.solve(gram.mean(0) + 1e-3 * eye, cross.mean(0))
    weights = torch.linalg.solve(gram + ridge * eye, cross + ridge * common)
    misfit = (change - torch.einsum("tnf,nfo->tno", phi, weights)) * live
    return weights, ((misfit**2).sum(0) / live.sum(0).clamp(min=1)).sqrt().clamp(min=0.02)


class Gaussian(nn.Module):
    """The distance of a vector from a cloud of vectors, in standard deviations of the cloud."""

    mean: Tensor
    root: Tensor

    def __init__(self, cloud: Tensor) -> None:
        super().__init__()
        cov = cloud.T.cov() if cloud.shape[-1] > 1 else cloud.var().view(1, 1)
        cov = cov + 0.01 * torch.diag(cov.diag()) + 1e-6 * torch.eye(len(cov))
        self.register_buffer("mean", cloud.mean(0))
        self.register_buffer("root", torch.linalg.cholesky(torch.linalg.inv(cov)))

    def forward(self, x: Tensor) -> Tensor:
        return ((((x - self.mean) @ self.root) ** 2).sum(-1, keepdim=True) + 1e-12).sqrt()


class WorldBank(nn.Module):
    """The detector: `step` returns its statistics, each divided by `units` once these are calibrated.

    `select` `[obs, O]` picks the sensed signals, `center` and `spread` `[O]` standardise them, `pace` `[O]` their
    change from one step to the next.
    """

    select: Tensor
    center: Tensor
    spread: Tensor
    pace: Tensor
    weights: Tensor
    noise: Tensor
    units: Tensor

    def __init__(self, select: Tensor, center: Tensor, spread: Tensor, pace: Tensor, actions: int) -> None:
        super().__init__()
        for name, value in {"select": select, "center": center, "spread": spread, "pace": pace}.items():
            self.register_buffer(name, value)
        self.actions, self.signals = actions, len(center)
        self.bias: Gaussian | None = None
        self.memory: Gaussian | None = None
        self.register_buffer("units", torch.ones(1))

    def fill(self, weights: Tensor, noise: Tensor) -> None:
        """Put the worlds in: `[K, F, O]` and `[K, O]`."""
        self.worlds = len(weights)
        self.register_buffer("weights", weights.permute(1, 0, 2).flatten(1).contiguous())
        self.register_buffer("noise", noise)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of what `step` returns."""
        return STATISTICS[: 3 if self.memory else 2]

    @property
    def smoothing(self) -> tuple[float, ...]:
        """Steps over which each looks back."""
        return (FIT, BIAS, MEMORY)[: len(self.statistics)]

    @property
    def carry_spec(self) -> tuple[CarryState, ...]:
        """Last reading and commands; belief, misfit of each world, its correlation with what came before it."""
        moments = self.signals * (1 + self.actions + self.signals)
        sizes = {"reading": self.signals, "commands": LAGS * self.actions, "belief": self.worlds, "misfit": self.worlds}
        sizes |= {"moments": moments} | ({"distance": 1} if self.memory else {})
        return tuple(CarryState(name=name, shape=(size,)) for name, size in sizes.items())

    def read(self, obs: Tensor) -> Tensor:
        """Return the sensed signals `[N, O]`, standardised."""
        return ((obs @ self.select - self.center) / self.spread).clamp(-10, 10)

    def step(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, memories: Carry, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the statistics `[N, S]` after one more reading, and what to remember."""
        before, commands, loss, misfit, moments, *distance = carry
        live, now = 1 - episode_start, self.read(obs)
        shifted = torch.cat([last_action, commands[:, : -self.actions]], -1)
        commands = live * shifted + episode_start * last_action.repeat(1, LAGS)
        error = self.error(before, commands, now).clamp(-CLIP, CLIP)
        believed = torch.softmax(-loss, -1)
        surprise = (believed[..., None] * error).sum(1)
        moments = moments + live / BIAS * (self.correlate(surprise, last_action, before) - moments)
        loss = loss * (1 - live / FORGET) + live * (0.5 * error**2 + self.noise.log()).sum(-1)
        loss = loss - loss.amin(-1, keepdim=True)
        misfit = misfit + live / FIT * ((error**2).mean(-1) - 1 - misfit)
        fit = (torch.softmax(-loss, -1) * misfit).sum(-1, keepdim=True)
        found = [fit, self.bias(moments) if self.bias else torch.zeros_like(fit)]
        if self.memory:
            far = self.memory(torch.cat([m.flatten(1) for m in memories], -1))
            distance = [distance[0] + (far - distance[0]) / MEMORY]
            found.append(distance[0])
        return torch.cat(found, -1) / self.units, (now, commands, loss, misfit, moments, *distance)

    def error(self, before: Tensor, commands: Tensor, now: Tensor) -> Tensor:
        """Return by how many standard deviations each world was wrong about the last change, `[N, K, O]`."""
        foretold = (features(before, commands) @ self.weights).view(-1, self.worlds, self.signals)
        return (((now - before) / self.pace)[:, None].clamp(-10, 10) - foretold) / self.noise

    def correlate(self, surprise: Tensor, action: Tensor, before: Tensor) -> Tensor:
        """Return what was wrong times what it may depend on: nothing, the command, the reading before."""
        cause = torch.cat([torch.ones_like(action[:, :1]), action, before.clamp(-3, 3)], -1)
        return (surprise[:, :, None] * cause[:, None]).flatten(1)
