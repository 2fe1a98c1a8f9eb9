"""What a robot's motion tells of its world: whether any world of training could move like this.

One linear model, common to all worlds, foretells how the sensed signals change over `HORIZONS` steps from what was
sensed and commanded before: y ≈ φᵀW. What it leaves unexplained is the world's own: its mass, gain, friction or delay.
`WorldModels` compares how well a model of this world alone, learned as it moves, and models of training worlds explain
that rest: the generalised likelihood ratio, which a bank of models makes of whether the world is one of them.

Networks that have learned to tell the clues c of worlds outside the training range from those inside turn them into
the log-odds ln p(c | outside) / p(c | inside): the likelihood ratio, by which two hypotheses are told apart best
(Neyman and Pearson 1933), estimated by classification (Sugiyama et al. 2012, ch. 4). What lies beyond all that was
learned from is left to the ratio itself, and to the distance of the policy's memory from what is typical.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from export.manifest import CarryState
from sdk.nn.world_models import FORGET, SHARES, WorldModels
from sdk.rl.rollout import Carry

FEW = 6
"""Signals whose products are looked at, at most."""

LAGS = 6
"""Commands that are looked back on: longer than the longest actuator delay of most robots."""

HORIZONS = (1, 5)
"""Over how many steps changes are foretold: over several, noise weighs less and what is wrong adds up."""

ODDS, MEMORY = 30.0, 15.0
"""Steps over which log-odds, and the distance of the policy's memory, are averaged: a moment proves nothing."""

CLIP, CAUSE = 5.0, 3.0
"""Largest surprise and largest cause that models learn from."""

STATISTICS = ("outside", "motion", "memory")


def features(obs: Tensor, commands: Tensor) -> Tensor:
    """Return φ `[…, F]` of standardised readings `[…, O]` and commands `[…, L·A]`.

    With few signals also their squares, products and cubes, and their products with the last two commands of each
    joint: gravity and friction are not linear, and a push acts as the pose lets it.
    """
    parts = [torch.ones_like(obs[..., :1]), obs, commands]
    if obs.shape[-1] <= FEW:
        parts += [obs[..., i : i + 1] * obs[..., i:] / 3 for i in range(obs.shape[-1])]
        last = commands[..., : 2 * commands.shape[-1] // LAGS]
        parts += [obs**3 / 9, (obs[..., :, None] * last[..., None, :]).flatten(-2)]
    return torch.cat(parts, -1)


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


class CommonModel(nn.Module):
    """What all worlds have in common: what a change over each horizon depends on, and what it does on average.

    `select` `[obs, O]` picks the sensed signals, `center` and `spread` `[O]` standardise them, `pace` `[H, O]` their
    changes over each horizon and `weights` `[H, F, O]` foretell those.
    """

    select: Tensor
    center: Tensor
    spread: Tensor
    pace: Tensor
    weights: Tensor

    def __init__(self, actions: int, **buffers: Tensor) -> None:
        super().__init__()
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.actions, self.signals = actions, len(self.center)

    def read(self, obs: Tensor) -> Tensor:
        """Return the sensed signals `[…, O]`, standardised."""
        return ((obs @ self.select - self.center) / self.spread).clamp(-10, 10)

    def rest(self, before: Tensor, now: Tensor, commands: Tensor) -> tuple[Tensor, Tensor]:
        """Return the causes `[N, H, F]` and what the common model leaves unexplained of the changes `[N, H, O]`.

        `before` `[N, H, O]` are the readings of each horizon ago, `now` `[N, O]` and `commands` `[N, L·A]` the last.
        """
        change = ((now[:, None] - before) / self.pace).clamp(-10, 10)
        phi = features(before, commands[:, None].expand(-1, len(HORIZONS), -1))
        said = (phi[:, :, None] @ self.weights)[:, :, 0]
        return phi.clamp(-CAUSE, CAUSE), (change - said).clamp(-CLIP, CLIP)


class MotionMonitor(nn.Module):
    """The detector: `step` returns its statistics, each divided by `units` once these are calibrated.

    `middle` and `width` `[C]` standardise the clues that `models` gives, from which the `jury` makes log-odds, the mean
    of its members'.
    """

    middle: Tensor
    width: Tensor
    units: Tensor

    def __init__(self, common: CommonModel, models: WorldModels) -> None:
        super().__init__()
        self.common, self.models = common, models
        self.register_buffer("middle", torch.zeros(models.clues))
        self.register_buffer("width", torch.ones(models.clues))
        self.register_buffer("units", torch.ones(1))
        self.jury = nn.ModuleList()
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
    def moving(self) -> int:
        """How many of the states that it keeps `watch` is about; they come first."""
        return 3 + len(self.models.carry_spec)

    @property
    def carry_spec(self) -> tuple[CarryState, ...]:
        """Last readings and commands, steps since the episode began, the models', distance of the policy's memory."""
        common = self.common
        sizes = {"readings": max(HORIZONS) * common.signals, "commands": LAGS * common.actions, "age": 1}
        averages = ("odds", "distance") if self.memory else ("odds",)
        states = (CarryState(name=name, shape=(size,)) for name, size in sizes.items())
        return *states, *self.models.carry_spec, *(CarryState(name=name, shape=(1,)) for name in averages)

    def step(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, memories: Carry, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the statistics `[N, S]` after one more reading, and what to remember."""
        clues, motion = self.watch(obs, last_action, episode_start, carry[: self.moving])
        odds, *distance = carry[self.moving :]
        odds = odds + (self.log_odds(clues) - odds) / ODDS
        made = [softplus(odds), clues[:, len(SHARES) - 1 : len(SHARES)]]
        if self.memory:
            far = self.memory(torch.cat([m.flatten(1) for m in memories], -1))
            distance = [distance[0] + (far - distance[0]) / MEMORY]
            made.append(distance[0])
        return torch.cat(made, -1) / self.units, (*motion, odds, *distance)

    def log_odds(self, clues: Tensor) -> Tensor:
        """Return ln p(clues | outside) / p(clues | inside) `[…, 1]`; 0 before anything was learned."""
        strange = self.standardised(clues)
        return sum((member(strange) for member in self.jury), torch.zeros_like(clues[..., :1])) / max(1, len(self.jury))

    def watch(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, carry: Carry, apart: Tensor | None = None
    ) -> tuple[Tensor, Carry]:
        """Return clues `[N, C]` after one more reading, and what to remember of the motion; `apart` as in `models`."""
        readings, commands, age, *models = carry
        signals, actions = self.common.signals, self.common.actions
        live, now = 1 - episode_start, self.common.read(obs)
        shifted = torch.cat([last_action, commands[:, :-actions]], -1)
        commands = live * shifted + episode_start * last_action.repeat(1, LAGS)
        age = live * (age + 1).clamp(max=max(HORIZONS))
        before = torch.stack([readings[:, (steps - 1) * signals : steps * signals] for steps in HORIZONS], 1)
        reached = torch.stack([(age >= steps).to(age.dtype) for steps in HORIZONS], 1)
        phi, rest = self.common.rest(before, now, commands)
        clues, kept = self.models.step(phi, rest, reached, last_action, tuple(models), apart)
        readings = torch.cat([now, readings[:, :-signals]], -1)
        return clues, (readings, commands, age, *kept)

    def standardised(self, clues: Tensor) -> Tensor:
        """Return clues in units of how they differ between worlds of training."""
        return ((clues - self.middle) / self.width).clamp(-8, 8)
