"""Sums along episodes, and how a rollout is cut into batches of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.rl.episodes import Episodes, batches, reward_to_go, standardized, sum_ahead, sum_behind, time_in_episode
from sdk.rl.rollout import Rollout

LENGTHS = (3, 1, 7, 2)


def episodes(mask: Tensor | None = None) -> Episodes:
    """Four episodes of one trial, and the same in another order of rewards in a second."""
    time = torch.cat([torch.arange(n) for n in LENGTHS]).float()[:, None].expand(-1, 2)
    reward = torch.randn(len(time), 2, generator=torch.Generator().manual_seed(0))
    ones = torch.ones_like(reward)
    return Episodes(reward[..., None], reward[..., None], reward, time, ones if mask is None else mask)


def by_hand(reward: Tensor, gamma: float) -> Tensor:
    parts = []
    for episode in reward.split(LENGTHS):
        running, rows = torch.zeros(2), []
        for row in episode.flip(0):
            running = row + gamma * running
            rows.append(running)
        parts += rows[::-1]
    return torch.stack(parts)


@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_rewards_to_go_stop_where_an_episode_does(gamma: float) -> None:
    found = reward_to_go(episodes(), gamma)
    torch.testing.assert_close(found, by_hand(episodes().reward, gamma))


def test_the_first_episodes_are_those_that_began_first_and_count() -> None:
    late = torch.ones(sum(LENGTHS), 2)
    late[: LENGTHS[0], 1] = 0
    found = episodes(late).first(2)
    assert found.mask.sum(0).tolist() == [LENGTHS[0] + LENGTHS[1], LENGTHS[1] + LENGTHS[2]]
    assert len(found.mask) == sum(LENGTHS[:3])
    torch.testing.assert_close(found.reward, episodes().reward[: len(found.reward)])
    assert episodes().first(9).mask.equal(episodes().mask)


def test_sums_behind_begin_with_the_episode() -> None:
    of = episodes()
    found = sum_behind(of.reward, of)
    expected = torch.cat([part.cumsum(0) for part in of.reward.split(LENGTHS)])
    torch.testing.assert_close(found, expected)


def test_steps_that_do_not_count_change_nothing() -> None:
    mask = torch.ones(sum(LENGTHS), 2)
    mask[11:, 0] = mask[:4, 1] = 0  # the last episode of one trial, the first two of the other
    of = episodes(mask)
    wild = of._replace(reward=torch.where(mask > 0, of.reward, 1e3))
    torch.testing.assert_close(reward_to_go(wild, 0.9) * mask, by_hand(of.reward, 0.9) * mask)
    scaled = standardized(wild.reward, mask)
    torch.testing.assert_close((scaled * mask).sum(0), torch.zeros(2), atol=1e-4, rtol=0)
    assert torch.equal(scaled * (1 - mask), torch.zeros_like(scaled))


def test_a_sum_reaches_over_a_long_episode() -> None:
    found = sum_ahead(torch.ones(2000, 1), torch.ones(2000, 1))
    assert torch.equal(found[:, 0], torch.arange(2000, 0, -1).float())


def rollout(ends: list[list[int]], steps: int) -> Rollout:
    ended = torch.zeros(steps, len(ends))
    for n, at in enumerate(ends):
        ended[at, n] = 1
    start = torch.cat([torch.ones(1, len(ends)), ended[:-1]])
    number = torch.arange(steps).float()[:, None].expand(-1, len(ends))
    parts = dict.fromkeys(Rollout.__dataclass_fields__, number[..., None])
    parts |= {"reward": number, "terminated": ended, "truncated": 0 * ended, "episode_start": start[..., None]}
    return Rollout(**parts)


def test_trials_are_cut_where_each_of_them_ended_its_episodes() -> None:
    first, second = batches(rollout([[1, 3, 5, 7], [2, 5, 6, 7]], 8), size=2, count=2)
    assert first.reward[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert first.mask.T.tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert second.reward[:, 0].tolist() == [4, 5, 6, 7]
    assert second.mask.T.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1]]
    assert first.time.T.tolist() == [[0, 1, 0, 1, 0, 1], [0, 1, 2, 0, 1, 2]]


def test_time_begins_with_every_episode() -> None:
    start = torch.tensor([1.0, 0, 0, 1, 1, 0])[:, None]
    assert time_in_episode(start)[:, 0].tolist() == [0, 1, 2, 0, 0, 1]
