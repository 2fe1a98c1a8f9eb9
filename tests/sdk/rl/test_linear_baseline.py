from __future__ import annotations

import torch

from sdk.rl.episodes import Episodes
from sdk.rl.linear_baseline import baseline_advantages, baseline_features, linear_fit, solve

STEPS, TASKS = 60, 3


def world() -> Episodes:
    """Six episodes of ten steps in each of three tasks."""
    generator = torch.Generator().manual_seed(0)
    obs, reward = torch.randn(STEPS, TASKS, 2, generator=generator), torch.zeros(STEPS, TASKS)
    time = (torch.arange(STEPS) % 10).float()[:, None].expand(-1, TASKS)
    return Episodes(obs, torch.zeros(STEPS, TASKS, 1), reward, time, torch.ones(STEPS, TASKS))


def test_elimination_solves() -> None:
    root = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    matrix, vector = root @ root.transpose(1, 2) + torch.eye(6), torch.randn(4, 6)
    torch.testing.assert_close(solve(matrix, vector), torch.linalg.solve(matrix, vector), rtol=1e-4, atol=1e-5)


def test_a_linear_world_is_foretold_each_task_by_its_own_coefficients() -> None:
    of = world()
    t = of.time
    slope = torch.tensor([1.0, -2.0, 5.0])
    target = slope * of.obs[..., 0] - 3 * of.obs[..., 1] ** 2 + 0.1 * t**3 - t + 7 * slope
    found = linear_fit(baseline_features(of.obs, t), target, of.mask)
    torch.testing.assert_close(found, target, rtol=0, atol=0.1)


def test_what_is_not_linear_is_not_foretold() -> None:
    of = world()
    target = (5 * of.obs[..., 0]).sin()
    error = linear_fit(baseline_features(of.obs, of.time), target, of.mask) - target
    assert error.abs().mean() > 0.3


def test_steps_that_do_not_count_are_not_fitted() -> None:
    of = world()
    target, mask = of.obs[..., 0].clone(), of.mask.clone()
    target[:20], mask[:20] = 1e3, 0
    found = linear_fit(baseline_features(of.obs, of.time), target, mask)
    torch.testing.assert_close(found[20:], target[20:], rtol=0, atol=0.01)


def test_a_reward_that_its_observation_foretells_is_no_advantage() -> None:
    """The action alone pays here; the baseline leaves that, where the plain return would drown in the observation."""
    of = world()
    luck = torch.randn(STEPS, TASKS, generator=torch.Generator().manual_seed(1))
    of = of._replace(reward=30 * of.obs[..., 0] + luck, time=torch.zeros(STEPS, TASKS))
    advantage = baseline_advantages(of, of.obs, gamma=0.9, gae_lambda=1.0)
    for k in range(TASKS):
        assert torch.corrcoef(torch.stack([advantage[:, k], luck[:, k]]))[0, 1] > 0.9
        assert torch.corrcoef(torch.stack([of.reward[:, k], luck[:, k]]))[0, 1] < 0.5
