"""A bank of worlds explains what lies among them, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.monitor import SETTLED, calibrate, episode_maxima, fit_detector, lagged, statistics
from sdk.nn.world_bank import LAGS, features, fit_worlds
from sdk.rl.rollout import Rollout

STEPS, GAIN = 150, (0.5, 1.5)


def masses(gain: Tensor, seed: int) -> Rollout:
    """Two episodes of a mass under random pushes, one world for each gain from push to speed."""
    rng = torch.Generator().manual_seed(seed)
    size = len(gain)
    state, rows = torch.zeros(size, 2), []
    last = torch.zeros(size, 1)
    for t in range(STEPS):
        start = torch.full((size, 1), float(t % 75 == 0))
        state, last = state * (1 - start), last * (1 - start)
        push = torch.rand(size, 1, generator=rng) * 2 - 1
        pos, vel = state.unbind(-1)
        after = torch.stack([pos + 0.1 * vel, 0.95 * vel + gain * push[:, 0]], -1)
        noise = 0.01 * torch.randn(size, 2, generator=rng)
        rows.append((state + noise, last, start, push, after))
        state, last = after, push
    obs, last_action, start, action, after = (torch.stack(column) for column in zip(*rows, strict=True))
    empty = torch.zeros(STEPS, size, 1)
    return Rollout(obs, last_action, empty, start, action, *[empty] * 4, after, empty, empty)


@pytest.fixture(scope="module")
def judge() -> object:
    bank = masses(torch.linspace(*GAIN, 48), 0)
    detector = fit_detector(bank, torch.eye(2))
    calibrate(detector, [], masses(torch.linspace(*GAIN, 64), 1), 0.99)
    return detector


def highest(judge: object, gain: float, seed: int = 2) -> Tensor:
    rollout = masses(torch.full((16,), gain), seed)
    return episode_maxima(statistics(judge, rollout, []).amax(-1), rollout.episode_start[..., 0])  # type: ignore[arg-type]


@pytest.mark.parametrize("gain", [0.55, 0.9, 1.4])
def test_a_world_inside_the_range_looks_like_one(judge: object, gain: float) -> None:
    assert float((highest(judge, gain) > 1.5).float().mean()) < 0.05


@pytest.mark.parametrize("gain", [-1.0, 0.1, 3.0])
def test_a_world_outside_the_range_does_not(judge: object, gain: float) -> None:
    assert float((highest(judge, gain) > 1.5).float().mean()) > 0.95


def test_each_world_gets_its_own_model() -> None:
    rollout = masses(torch.tensor([0.5, 1.5]), 0)
    live = 1 - rollout.episode_start[1:]
    phi = torch.cat([rollout.obs[:-1], rollout.last_action[1:]], -1)
    weights, noise = fit_worlds(phi, rollout.obs[1:] - rollout.obs[:-1], live, ridge=1e-3)
    assert torch.allclose(weights[:, 2, 1], torch.tensor([0.5, 1.5]), atol=0.01)
    assert float(noise.max()) < 0.03


def test_commands_from_before_an_episode_are_not_looked_back_on() -> None:
    action, start = torch.arange(6.0).view(6, 1, 1), torch.tensor([1.0, 0, 0, 1, 0, 0]).view(6, 1, 1)
    found = lagged(action, start)[:, 0]
    assert found.shape == (6, LAGS)
    assert found[2].tolist() == [2, 1, 0, 0]
    assert found[4].tolist() == [4, 3, 3, 3]


def test_features_of_many_signals_stay_linear() -> None:
    assert features(torch.zeros(1, 14), torch.zeros(1, 28)).shape == (1, 43)
    assert features(torch.zeros(1, 2), torch.zeros(1, 4)).shape == (1, 12)


def test_the_highest_score_is_taken_in_each_episode() -> None:
    scores, start = torch.tensor([[1.0], [5.0], [2.0], [3.0]]), torch.tensor([[1.0], [0], [1.0], [0]])
    assert episode_maxima(scores, start).tolist() == [5.0, 3.0]
    assert SETTLED < STEPS
