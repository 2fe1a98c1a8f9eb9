"""Motion tells worlds of training from those outside, and a monitor's steps from one another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.detector import (
    SETTLED,
    ages,
    calibrate,
    episode_maxima,
    fit_detector,
    lagged,
    learn,
    play,
    statistics,
    tell_apart,
)
from sdk.nn.motion import HORIZONS, LAGS, MotionMonitor, features
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


def outside(size: int) -> Tensor:
    """Gains up to six half-widths from the middle, on either side."""
    low, high = torch.linspace(-2.0, 0.5, size // 2 + 1)[:-1], torch.linspace(1.5, 4.0, size // 2 + 1)[1:]
    return torch.cat([low, high])


@pytest.fixture(scope="module")
def judge() -> MotionMonitor:
    inside = masses(torch.linspace(*GAIN, 64), 0)
    detector = fit_detector(inside, torch.eye(2))
    learn(detector, inside, masses(outside(64), 3), 0)
    calibrate(detector, [], masses(torch.linspace(*GAIN, 64), 1), 0.99)
    return detector


def highest(judge: MotionMonitor, gain: float, seed: int = 2) -> Tensor:
    rollout = masses(torch.full((16,), gain), seed)
    return episode_maxima(statistics(judge, rollout, []).amax(-1), rollout.episode_start[..., 0])


@pytest.mark.parametrize("gain", [0.6, 0.9, 1.4])
def test_a_world_inside_the_range_looks_like_one(judge: MotionMonitor, gain: float) -> None:
    assert float((highest(judge, gain) > 1.5).float().mean()) < 0.05


@pytest.mark.parametrize("gain", [-1.0, 0.1, 3.0, 8.0])
def test_a_world_outside_the_range_does_not(judge: MotionMonitor, gain: float) -> None:
    assert float((highest(judge, gain) > 1.5).float().mean()) > 0.95


def test_taught_with_worlds_of_training_alone_it_tells_nothing_apart() -> None:
    blind = fit_detector(masses(torch.linspace(*GAIN, 64), 0), torch.eye(2))
    learn(blind, masses(torch.linspace(*GAIN, 64), 0), masses(torch.linspace(*GAIN, 64), 3), 0)
    calibrate(blind, [], masses(torch.linspace(*GAIN, 64), 1), 0.99)
    far = statistics(blind, masses(torch.full((16,), 0.1), 2), [])[..., 0]
    assert float((far.amax(0) > 1.5).float().mean()) < 0.6


def test_the_common_model_is_the_one_that_least_squares_finds() -> None:
    detector = fit_detector(masses(torch.full((32,), 1.0), 0), torch.eye(2))
    push = 1 + 2  # after the constant and two signals
    by_one = detector.weights[0][push] * detector.pace[0] * detector.spread
    assert by_one.tolist() == pytest.approx([0.0, 1.0], abs=0.02)


def test_log_odds_are_those_of_two_gaussians() -> None:
    rng = torch.Generator().manual_seed(0)
    inside, beyond = torch.randn(6000, 1, generator=rng), torch.randn(3000, 1, generator=rng) + 2
    at = torch.linspace(-0.5, 2.5, 7)[:, None]
    # ln N(x; 2, 1) / N(x; 0, 1) = 2 x − 2, whatever the number of rows
    torch.testing.assert_close(tell_apart(inside, beyond, 0)(at), 2 * at - 2, atol=0.4, rtol=0)


def test_steps_that_reach_back_before_an_episode_do_not_count(judge: MotionMonitor) -> None:
    rollout = masses(torch.tensor([1.0]), 5)
    place = [state.name for state in judge.carry_spec].index("moments")
    found = torch.stack([carry[place][0] for _, carry in play(judge, rollout, [])])
    still = [(found[t] == found[t - 1]).view(len(HORIZONS), -1).all(1).tolist() for t in range(75, 82)]
    assert [column.index(False) for column in zip(*still, strict=True)] == [*HORIZONS]


def test_steps_since_an_episode_began() -> None:
    start = torch.tensor([1.0, 0, 0, 1, 0]).view(5, 1, 1)
    assert ages(start).flatten().tolist() == [0, 1, 2, 0, 1]


def test_commands_from_before_an_episode_are_not_looked_back_on() -> None:
    action, start = torch.arange(6.0).view(6, 1, 1), torch.tensor([1.0, 0, 0, 1, 0, 0]).view(6, 1, 1)
    found = lagged(action, start)[:, 0]
    assert found.shape == (6, LAGS)
    assert found[2].tolist() == [2, 1, 0, 0, 0, 0]
    assert found[4].tolist() == [4, 3, 3, 3, 3, 3]


def test_features_of_many_signals_stay_linear() -> None:
    assert features(torch.zeros(1, 14), torch.zeros(1, 28)).shape == (1, 43)
    assert features(torch.zeros(1, 2), torch.zeros(1, 4)).shape == (1, 12)


def test_the_highest_score_is_taken_in_each_episode() -> None:
    scores, start = torch.tensor([[1.0], [5.0], [2.0], [3.0]]), torch.tensor([[1.0], [0], [1.0], [0]])
    assert episode_maxima(scores, start).tolist() == [5.0, 3.0]
    assert SETTLED < STEPS
