"""What a robot's motion tells of its world: averages that show whether any world of training could move like this.

One linear model, common to all worlds, foretells how the sensed signals change over `HORIZONS` steps from what was
sensed and commanded before: y ≈ φᵀW. What it leaves unexplained, times what it may depend on, is averaged with
exponential forgetting. A wrong mass, gain, friction or delay shows in these moments m as a correlation, long before it
shows in a single reading, and over several steps before it does over one.

A network that has learned to tell the moments of worlds outside the training range from those inside gives the
log-odds ln p(m | outside) / p(m | inside): the likelihood ratio, by which two hypotheses are told apart best (Neyman
and Pearson 1933), estimated by classification (Sugiyama et al. 2012, ch. 4). What lies beyond all that was learned from
is left to two distances from what is typical: of the moments, and of the policy's memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from export.manifest import CarryState
from sdk.rl.rollout import Carry

LAGS = 6
"""Commands that are looked back on: longer than the longest actuator delay of most robots."""

HORIZONS = (1, 5)
"""Over how many steps changes are foretold: over several, noise weighs less and what is wrong adds up."""

FORGET, MEMORY = 100.0, 15.0
"""Steps over which the moments and the distance of the memory look back."""

CLIP = 5.0
STATISTICS = ("outside", "motion", "memory")


def features(obs: Tensor, commands: Tensor) -> Tensor:
    """Return φ `[…, F]` of standardised readings `[…, O]` and commands `[…, L·A]`.

    With few signals also their squares, products and cubes: gravity and friction are not linear.
    """
    parts = [torch.ones_like(obs[..., :1]), obs, commands]
    if obs.shape[-1] <= 6:
        parts += [obs[..., i : i + 1] * obs[..., i:] / 3 for i in range(obs.shape[-1])]
        parts += [obs**3 / 9]
    return torch.cat(parts, -1)


def moments(surprise: Tensor, before: Tensor, commands: Tensor) -> Tensor:
    """Return what is averaged of a step `[N, M]`: what was wrong `[N, O]` times each cause, and the power of both."""
    causes = torch.cat([torch.ones_like(before[:, :1]), commands, before.clamp(-3, 3)], -1)
    return torch.cat([(surprise[:, :, None] * causes[:, None]).flatten(1), surprise**2, causes[:, 1:] ** 2], -1)


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


class MotionMonitor(nn.Module):
    """The detector: `step` returns its statistics, each divided by `units` once these are calibrated.

    `select` `[obs, O]` picks the sensed signals, `center` and `spread` `[O]` standardise them, `pace` `[H, O]` their
    changes over each horizon and `weights` `[H, F, O]` foretell those. `middle` and `width` `[H·M]` standardise the
    moments, from which `classify` makes log-odds.
    """

    select: Tensor
    center: Tensor
    spread: Tensor
    pace: Tensor
    weights: Tensor
    middle: Tensor
    width: Tensor
    units: Tensor

    def __init__(self, actions: int, **buffers: Tensor) -> None:
        super().__init__()
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.actions, self.signals = actions, len(self.center)
        causes = LAGS * actions + self.signals
        self.size = len(HORIZONS) * (self.signals * (1 + causes) + self.signals + causes)
        self.register_buffer("middle", torch.zeros(self.size))
        self.register_buffer("width", torch.ones(self.size))
        self.register_buffer("units", torch.ones(1))
        self.classify: nn.Module | None = None
        self.memory: Gaussian | None = None

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of what `step` returns."""
        return STATISTICS[: 3 if self.memory else 2]

    @property
    def smoothing(self) -> tuple[float, ...]:
        """Steps over which each looks back."""
        return (FORGET, FORGET, MEMORY)[: len(self.statistics)]

    @property
    def carry_spec(self) -> tuple[CarryState, ...]:
        """Last readings and commands, steps since the episode began, moments, distance of the policy's memory."""
        sizes = {"readings": max(HORIZONS) * self.signals, "commands": LAGS * self.actions, "age": 1}
        sizes |= {"moments": self.size} | ({"distance": 1} if self.memory else {})
        return tuple(CarryState(name=name, shape=(size,)) for name, size in sizes.items())

    def read(self, obs: Tensor) -> Tensor:
        """Return the sensed signals `[…, O]`, standardised."""
        return ((obs @ self.select - self.center) / self.spread).clamp(-10, 10)

    def standardised(self, found: Tensor) -> Tensor:
        """Return moments in units of how they differ between worlds of training."""
        return ((found - self.middle) / self.width).clamp(-8, 8)

    def step(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, memories: Carry, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the statistics `[N, S]` after one more reading, and what to remember."""
        readings, commands, age, found, *distance = carry
        live, now = 1 - episode_start, self.read(obs)
        shifted = torch.cat([last_action, commands[:, : -self.actions]], -1)
        commands = live * shifted + episode_start * last_action.repeat(1, LAGS)
        age = live * (age + 1).clamp(max=max(HORIZONS))
        found = self.averaged(found, readings, commands, age, now)
        readings = torch.cat([now, readings[:, : -self.signals]], -1)
        strange = self.standardised(found)
        odds = self.classify(strange) if self.classify else torch.zeros_like(age)
        made = [softplus(odds), ((strange**2).mean(-1, keepdim=True) + 1e-12).sqrt()]
        if self.memory:
            far = self.memory(torch.cat([m.flatten(1) for m in memories], -1))
            distance = [distance[0] + (far - distance[0]) / MEMORY]
            made.append(distance[0])
        return torch.cat(made, -1) / self.units, (readings, commands, age, found, *distance)

    def averaged(self, found: Tensor, readings: Tensor, commands: Tensor, age: Tensor, now: Tensor) -> Tensor:
        """Return the moments with one more step in them, but for horizons that reach back before the episode."""
        parts = []
        for k, (steps, old) in enumerate(zip(HORIZONS, found.chunk(len(HORIZONS), -1), strict=True)):
            before = readings[:, (steps - 1) * self.signals : steps * self.signals]
            change = ((now - before) / self.pace[k]).clamp(-10, 10)
            surprise = (change - features(before, commands) @ self.weights[k]).clamp(-CLIP, CLIP)
            counts = (age >= steps).to(now.dtype)
            parts.append(old + counts / FORGET * (moments(surprise, before, commands) - old))
        return torch.cat(parts, -1)
