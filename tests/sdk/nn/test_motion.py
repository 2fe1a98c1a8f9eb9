"""Motion tells worlds of training from those outside, and a monitor's steps from one another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk import detector
from sdk.detector import (
    BANK,
    ages,
    calibrate,
    clues,
    episode_maxima,
    fit_bank,
    fit_common,
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
    fitted = fit_detector(inside, torch.eye(2))
    learn(fitted, inside, masses(outside(64), 3), 0)
    calibrate(fitted, [], masses(torch.linspace(*GAIN, 64), 1), 0.99)
    return fitted


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
    common = fit_common(masses(torch.full((32,), 1.0), 0), torch.eye(2))
    push = 1 + 2  # after the constant and two signals
    by_one = common.weights[0][push] * common.pace[0] * common.spread
    assert by_one.tolist() == pytest.approx([0.0, 1.0], abs=0.02)


def test_a_world_s_model_says_how_far_it_is_from_the_common_one() -> None:
    worlds = masses(torch.tensor([0.5, 0.7, 1.0, 1.3, 1.5]), 0)
    common, push = fit_common(worlds, torch.eye(2)), 1 + 2
    bank = fit_bank(common, worlds)
    assert bank.shape == (len(HORIZONS), 5, features(torch.zeros(1, 2), torch.zeros(1, LAGS)).shape[-1], 2)
    gain = (common.weights[0, push] + bank[0, :, push])[:, 1] * common.pace[0, 1] * common.spread[1]
    assert gain.tolist() == pytest.approx([0.5, 0.7, 1.0, 1.3, 1.5], abs=0.06)


def test_a_bank_is_no_larger_than_agreed() -> None:
    assert fit_detector(masses(torch.linspace(*GAIN, 2 * BANK), 0), torch.eye(2)).models.worlds == BANK


def test_a_world_is_not_compared_with_itself(judge: MotionMonitor) -> None:
    worlds = masses(torch.linspace(*GAIN, 64), 0)  # those of the bank
    near, far = clues(judge, worlds), clues(judge, worlds, 1e6 * torch.eye(64))
    assert (far[-1, :, 0] > near[-1, :, 0] - 1e-6).all()
    assert float(near[-1, :, 0].mean()) < float(far[-1, :, 0].mean())


def test_log_odds_are_those_of_two_gaussians() -> None:
    rng = torch.Generator().manual_seed(0)
    inside, beyond = torch.randn(10, 600, 1, generator=rng), torch.randn(10, 300, 1, generator=rng) + 2
    at = torch.linspace(-0.5, 2.5, 7)[:, None]
    # ln N(x; 2, 1) / N(x; 0, 1) = 2 x − 2, whatever the number of rows
    torch.testing.assert_close(tell_apart(inside, beyond, 0)(at), 2 * at - 2, atol=0.4, rtol=0)


def test_worlds_that_are_known_by_heart_are_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a few worlds of pure chance, the network of the best epoch says next to nothing of new ones."""
    monkeypatch.setattr(detector, "EPOCHS", 60)
    monkeypatch.setattr(detector, "STEP_SIZE", 1e-2)
    rng = torch.Generator().manual_seed(0)
    few = [torch.randn(1, 40, 50, generator=rng).expand(30, -1, -1) for _ in range(2)]
    odds = tell_apart(few[0], few[1], 0)(torch.randn(500, 50, generator=rng))
    assert float(odds.abs().quantile(0.99)) < 6  # 19 of the last epoch


def test_steps_that_reach_back_before_an_episode_teach_nothing(judge: MotionMonitor) -> None:
    rollout = masses(torch.tensor([1.0]), 5)
    place = [state.name for state in judge.carry_spec].index("left")
    found = torch.stack([carry[place][0] for _, carry in play(judge, rollout, [])])
    still = [(found[t] == found[t - 1]).all(-1).tolist() for t in range(75, 82)]
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
    assert features(torch.zeros(1, 2), torch.zeros(1, LAGS)).shape == (1, 1 + 2 + LAGS + 3 + 2 + 2 * 2)


def test_the_highest_score_is_taken_in_each_episode() -> None:
    scores, start = torch.tensor([[1.0], [5.0], [2.0], [3.0]]), torch.tensor([[1.0], [0], [1.0], [0]])
    assert episode_maxima(scores, start).tolist() == [5.0, 3.0]
