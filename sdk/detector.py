"""Fit what a monitor is made of: a model of motion, a network that tells worlds apart, and the units of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sdk.nn.layers import mlp
from sdk.nn.motion import HORIZONS, LAGS, Gaussian, MotionMonitor, features
from sdk.rl.rollout import Carry, Rollout

SETTLED, STRIDE = 20, 7
"""Steps after the start of a trial before its moments count, and from one that is learned from to the next."""

HIDDEN, BATCH, EPOCHS, STEP_SIZE, WEIGHT_DECAY = 64, 512, 15, 2e-3, 1e-3


def fit_detector(inside: Rollout, picked: Tensor) -> MotionMonitor:
    """Fit one linear model of motion to all worlds of a rollout `[T, N, …]`; `picked` `[obs, O]` selects signals."""
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
        gram, cross = phi.T @ phi, phi.T @ (change / pace[-1]).clamp(-10, 10).flatten(0, 1)
        weights.append(torch.linalg.solve(gram + 1e-3 * torch.eye(len(gram)), cross))
    fitted = {"pace": torch.stack(pace), "weights": torch.stack(weights)}
    return MotionMonitor(inside.last_action.shape[-1], select=picked, center=center, spread=spread, **fitted)


def learn(detector: MotionMonitor, inside: Rollout, outside: Rollout, seed: int) -> None:
    """Teach a detector what is typical, and to tell the moments of worlds outside from those inside."""
    with torch.no_grad():
        within, beyond = (found(detector, rollout) for rollout in (inside, outside))
        detector.middle, detector.width = within.mean(0), within.std(0).clamp(min=1e-4)
        within, beyond = detector.standardised(within), detector.standardised(beyond)
    detector.classify = tell_apart(within, beyond, seed)


def found(detector: MotionMonitor, rollout: Rollout) -> Tensor:
    """Return moments `[R, M]` along a rollout, every `STRIDE` steps."""
    place = [state.name for state in detector.carry_spec].index("moments")
    steps = enumerate(play(detector, rollout, []))
    return torch.cat([carry[place] for t, (_, carry) in steps if t >= SETTLED and t % STRIDE == 0])


def tell_apart(inside: Tensor, outside: Tensor, seed: int) -> nn.Sequential:
    """Return a network whose output is ln p(row | outside) / p(row | inside), learned from rows `[R, M]` of both.

    Both kinds weigh the same, however many there are of each.
    """
    rng = torch.Generator().manual_seed(seed)
    x, y = torch.cat([inside, outside]), torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))])
    weight = torch.where(y > 0, len(y) / (2 * len(outside)), len(y) / (2 * len(inside)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = mlp([x.shape[1], HIDDEN, HIDDEN, 1], activation=nn.ELU)
    batches = -(-len(x) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=STEP_SIZE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * batches)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=rng).chunk(batches):
            loss = binary_cross_entropy_with_logits(net(x[rows]).squeeze(-1), y[rows], weight[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return net.requires_grad_(False)


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
    size = rollout.obs.shape[1]
    carry = tuple(torch.from_numpy(s.start()).expand(size, *s.shape) for s in detector.carry_spec)
    for t in range(len(rollout.obs)):
        read = tuple(memory[t] for memory in memories)
        seen = (rollout.obs[t], rollout.last_action[t], rollout.episode_start[t])
        found, carry = detector.step(*seen, read, carry)
        yield found, carry


def episode_maxima(scores: Tensor, start: Tensor) -> Tensor:
    """Return the largest score of every episode of `scores` `[T, N]`; `start` is 1 where one begins."""
    episode = (start.cumsum(0) - 1).long().T
    room = torch.full((len(episode), int(episode.max()) + 1), -torch.inf)
    highest = room.scatter_reduce(1, episode, scores.T, "amax")
    return highest[highest > -torch.inf]
