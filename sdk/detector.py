"""Fit what a monitor is made of: models of motion, a network that tells worlds apart, and the units of both."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sdk.nn.layers import mlp
from sdk.nn.motion import HORIZONS, LAGS, CommonModel, Gaussian, MotionMonitor, features
from sdk.nn.world_models import WorldModels
from sdk.rl.rollout import Carry, Rollout

SETTLED, STRIDE = 20, 7
"""Steps after the start of a trial before the policy's memory is typical, and from one learned from to the next."""

BANK, BANK_NUMBERS, RIDGE = 128, 2**17, 1.0
"""Training worlds whose models are kept at most, numbers that they may come to, and what holds those models to 0."""

MEMBERS, HIDDEN, BATCH, EPOCHS, STEP_SIZE, WEIGHT_DECAY = 3, 16, 512, 15, 1e-3, 0.1
VALIDATION = 0.2
"""Share of the worlds that say when the network begins to learn the others by heart."""

Rows = tuple[Tensor, Tensor, Tensor]
"""Clues `[R, C]`, whether of a world outside `[R]`, and how much each counts `[R]`."""


def fit_detector(inside: Rollout, picked: Tensor) -> MotionMonitor:
    """Fit the common model to all worlds of a rollout `[T, N, …]`, and one more to each of the first of them.

    `picked` `[obs, O]` selects signals.
    """
    common = fit_common(inside, picked)
    numbers = len(HORIZONS) * common.weights.shape[1] * common.signals
    worlds = max(1, min(BANK, BANK_NUMBERS // numbers, inside.obs.shape[1]))
    return MotionMonitor(common, WorldModels(fit_bank(common, inside.trials(torch.arange(worlds)))))


def fit_common(inside: Rollout, picked: Tensor) -> CommonModel:
    """Fit one linear model of motion to all worlds of a rollout by least squares."""
    seen = inside.obs @ picked
    center, spread = seen.mean((0, 1)), seen.std((0, 1)).clamp(min=1e-6)
    obs = ((seen - center) / spread).clamp(-10, 10)
    commands, age = lagged(inside.last_action, inside.episode_start), ages(inside.episode_start)
    pace, weights = [], []
    for steps in HORIZONS:
        live = (age[steps:] >= steps).float()
        change = (obs[steps:] - obs[:-steps]) * live
        pace.append((change.square().sum((0, 1)) / live.sum()).sqrt().clamp(min=1e-6))
        phi = (features(obs[:-steps], commands[steps:]) * live).flatten(0, 1)
        weights.append(_least_squares(phi, (change / pace[-1]).clamp(-10, 10).flatten(0, 1), 1e-3))
    fitted = {"pace": torch.stack(pace), "weights": torch.stack(weights)}
    return CommonModel(inside.last_action.shape[-1], select=picked, center=center, spread=spread, **fitted)


def fit_bank(common: CommonModel, worlds: Rollout) -> Tensor:
    """Return the models `[H, K, F, O]` that explain best what the common one leaves unexplained of each world."""
    obs, age = common.read(worlds.obs), ages(worlds.episode_start)
    commands = lagged(worlds.last_action, worlds.episode_start)
    before = torch.stack([torch.cat([obs[:1].expand(k, -1, -1), obs[:-k]]) for k in HORIZONS], 2)
    phi, rest = (
        x.unflatten(0, age.shape[:2]) for x in common.rest(*(x.flatten(0, 1) for x in (before, obs, commands)))
    )
    reached = torch.stack([(age >= steps).float() for steps in HORIZONS], 2)
    phi, rest = ((x * reached).permute(2, 1, 0, 3) for x in (phi, rest))  # [H, K, T, …]
    return _least_squares(phi, rest, RIDGE)


def _least_squares(phi: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Return the weights `[…, F, O]` of y `[…, R, O]` on φ `[…, R, F]`."""
    gram = phi.mT @ phi + ridge * torch.eye(phi.shape[-1])
    return torch.linalg.solve(gram, phi.mT @ y)


@torch.no_grad()
def learn(detector: MotionMonitor, inside: Rollout, outside: Rollout, seed: int) -> None:
    """Teach a detector what is typical, and to tell clues of worlds outside from those of worlds inside.

    `inside` is what it was fitted to: a world whose model is kept is compared with all others.
    """
    itself = 1e6 * torch.eye(inside.obs.shape[1], detector.models.worlds)
    within, beyond = clues(detector, inside, itself), clues(detector, outside)
    detector.middle, detector.width = within.mean((0, 1)), within.std((0, 1)).clamp(min=1e-3)
    within, beyond = detector.standardised(within), detector.standardised(beyond)
    detector.jury = nn.ModuleList(tell_apart(within, beyond, seed + member) for member in range(MEMBERS))


def clues(detector: MotionMonitor, rollout: Rollout, apart: Tensor | None = None) -> Tensor:
    """Return clues `[T', N, C]` along a rollout, every `STRIDE` steps."""
    carry, kept = _start(detector, rollout)[: detector.moving], []
    for t in range(len(rollout.obs)):
        seen = (rollout.obs[t], rollout.last_action[t], rollout.episode_start[t])
        found, carry = detector.watch(*seen, carry, apart)
        if t % STRIDE == 0:
            kept.append(found)
    return torch.stack(kept)


def tell_apart(inside: Tensor, outside: Tensor, seed: int) -> nn.Module:
    """Return a network whose output is ln p(row | outside) / p(row | inside), learned from rows `[T, N, C]` of both.

    Both kinds weigh the same, however many there are of each. Worlds kept apart say which epoch's network to take.
    """
    rng = torch.Generator().manual_seed(seed)
    kinds = [(x, torch.rand(x.shape[1], generator=rng) < VALIDATION) for x in (inside, outside)]
    learned, checked = _rows(*(x[:, ~held] for x, held in kinds)), _rows(*(x[:, held] for x, held in kinds))
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        net = mlp([inside.shape[-1], HIDDEN, HIDDEN, 1], activation=nn.ELU)
        optimiser = torch.optim.AdamW(net.parameters(), lr=STEP_SIZE, weight_decay=WEIGHT_DECAY)
        best, lowest = deepcopy(net), torch.inf
        for _ in range(EPOCHS):
            _descend(net, optimiser, learned, rng)
            loss = float(_loss(net, checked).detach())
            if loss < lowest:
                best, lowest = deepcopy(net), loss
    return best.requires_grad_(False)


def _rows(inside: Tensor, outside: Tensor) -> Rows:
    few, many = inside.flatten(0, 1), outside.flatten(0, 1)
    y = torch.cat([torch.zeros(len(few)), torch.ones(len(many))])
    return torch.cat([few, many]), y, torch.where(y > 0, len(y) / (2 * len(many)), len(y) / (2 * len(few)))


def _descend(net: nn.Module, optimiser: torch.optim.Optimizer, rows: Rows, rng: torch.Generator) -> None:
    """Go once through all rows."""
    for batch in torch.randperm(len(rows[1]), generator=rng).split(BATCH):
        optimiser.zero_grad()
        _loss(net, (rows[0][batch], rows[1][batch], rows[2][batch])).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _loss(net: nn.Module, rows: Rows) -> Tensor:
    x, y, weight = rows
    return binary_cross_entropy_with_logits(net(x).squeeze(-1), y, weight)


def lagged(action: Tensor, start: Tensor) -> Tensor:
    """Return the last `LAGS` commands before each step, newest first, `[T, N, L·A]`; none from before an episode."""
    rows = [action]
    for _ in range(1, LAGS):
        shifted = torch.cat([rows[-1][:1], rows[-1][:-1]])
        rows.append(torch.where(start > 0.5, action, shifted))
    return torch.cat(rows, -1)


def ages(start: Tensor) -> Tensor:
    """Return the steps since each episode began, 0 where `start` `[T, N, 1]` is 1; before the first, since row 0."""
    rows = [torch.zeros_like(start[0])]
    for flags in start[1:]:
        rows.append((1 - flags) * (rows[-1] + 1))
    return torch.stack(rows)


def calibrate(detector: MotionMonitor, memories: list[Tensor], fresh: Rollout, quantile: float) -> None:
    """Set the memory that is typical, and each statistic's unit, so that 1 − `quantile` of the episodes exceed any.

    All share these alarms equally: one that sometimes leaps must not dull the others.
    """
    if memories:
        detector.memory = Gaussian(torch.cat([m.flatten(2) for m in memories], -1)[SETTLED:].flatten(0, 1))
    raw = statistics(detector, fresh, memories)
    start = fresh.episode_start[..., 0]
    each = 1 - (1 - quantile) / raw.shape[-1]
    units = [torch.quantile(episode_maxima(column, start), each) for column in raw.unbind(-1)]
    detector.units = torch.stack(units).clamp(min=1e-3)


def remembered(policy: Any, rollout: Rollout, watched: list[int]) -> list[Tensor]:
    """Return the policy's watched memories `[T, N, *shape]` after each step of a rollout."""
    carry, rows = policy.initial_carry(rollout.obs.shape[1]), []
    for t in range(len(rollout.obs) if watched else 0):
        given = (rollout.obs[t], rollout.last_action[t], rollout.last_reward[t], rollout.episode_start[t])
        carry = policy.step(*given, carry)[1]
        rows.append([carry[i] for i in watched])
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def statistics(detector: MotionMonitor, rollout: Rollout, memories: list[Tensor]) -> Tensor:
    """Return the detector's statistics `[T, N, S]` over a rollout."""
    return torch.stack([found for found, _ in play(detector, rollout, memories)])


def play(detector: MotionMonitor, rollout: Rollout, memories: list[Tensor]) -> Iterator[tuple[Tensor, Carry]]:
    """Yield the statistics `[N, S]` and the detector's carry after each step of a rollout."""
    carry = _start(detector, rollout)
    for t in range(len(rollout.obs)):
        read = tuple(memory[t] for memory in memories)
        seen = (rollout.obs[t], rollout.last_action[t], rollout.episode_start[t])
        found, carry = detector.step(*seen, read, carry)
        yield found, carry


def _start(detector: MotionMonitor, rollout: Rollout) -> Carry:
    size = rollout.obs.shape[1]
    return tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in detector.carry_spec)


def episode_maxima(scores: Tensor, start: Tensor) -> Tensor:
    """Return the largest score of every episode of `scores` `[T, N]`; `start` is 1 where one begins."""
    episode = (start.cumsum(0) - 1).long().T
    room = torch.full((len(episode), int(episode.max()) + 1), -torch.inf)
    highest = room.scatter_reduce(1, episode, scores.T, "amax")
    return highest[highest > -torch.inf]
