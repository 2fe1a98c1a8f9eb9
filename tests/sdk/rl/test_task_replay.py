"""What is kept of which task, what is drawn, and that a run that goes on draws the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from sdk.algos.base import Sizes
from sdk.rl.rollout import Rollout, collect
from sdk.rl.task_replay import TaskReplay, steps_of, task_of
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import untrained

TRIALS, STEPS = 4, 6


def played(first: int = 0) -> Rollout:
    """Trials of six steps; the second number of an observation is the world's, its context odd or even."""
    policy = untrained("sac", Sizes(2, 1, 1, reads_reward=True), log_std=0.0)
    indices = list(range(first, first + TRIALS))
    return collect(TwoArms(TRIALS), policy, indices, seed=0, stream="train")


def worlds_in(replay: TaskReplay) -> set[float]:
    return set(replay.draw(2000, np.random.default_rng(0)).obs[:, 1].tolist())


def filled(capacity: int = 100, of_a_task: int | None = None, blocks: int = 1) -> TaskReplay:
    replay = TaskReplay(capacity, of_a_task)
    for block in range(blocks):
        replay.add(played(block * TRIALS))
    return replay


def test_steps_hold_what_was_sampled_sent_paid_and_told() -> None:
    rollout = played()
    steps = steps_of(rollout)
    assert torch.equal(steps.action, rollout.action.transpose(0, 1))
    torch.testing.assert_close(steps.reward, rollout.reward.T)
    even, odd = steps.unread[0].tolist(), steps.unread[1].tolist()
    assert (even, odd) == ([0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 0, 1])
    read = steps.unread[:, :-1] == 0
    torch.testing.assert_close(steps.sent[:, :-1][read], rollout.last_action[1:].transpose(0, 1)[read])
    torch.testing.assert_close(steps.told[:, :-1], rollout.last_reward[1:, :, 0].T)
    begins = rollout.episode_start[..., 0].T == 1
    assert (steps.heard[begins] == 0).all()
    torch.testing.assert_close(steps.heard[~begins], rollout.last_reward[..., 0].T[~begins])
    assert steps.heard[~begins].any()
    torch.testing.assert_close(steps.next_obs, rollout.final_obs.transpose(0, 1))


def test_draws_of_a_task_are_of_that_task_alone() -> None:
    replay = filled(blocks=3)
    even, odd = replay.tasks
    assert [even, odd] == [task_of(torch.zeros(1)), task_of(torch.ones(1))]
    drawn = replay.draw_of([odd, even], 400, np.random.default_rng(0))
    assert drawn.obs.shape == (400, 2, 2)
    assert set(drawn.obs[:, 0, 1].tolist()) == {1, 3, 5, 7, 9, 11}
    assert set(drawn.obs[:, 1, 1].tolist()) == {0, 2, 4, 6, 8, 10}
    assert torch.equal(drawn.context[:, :, 0], torch.tensor([[1.0, 0.0]]).expand(400, -1))


def test_a_drawn_step_is_a_step_that_was_played() -> None:
    rollout, replay = played(), filled()
    drawn = replay.draw(50, np.random.default_rng(0))
    for i in range(50):
        t, n = int(drawn.obs[i, 0]), int(drawn.obs[i, 1])
        for name in ("action", "reward", "terminated"):
            assert torch.equal(getattr(drawn, name)[i], getattr(rollout, name)[t, n]), name
        assert torch.equal(drawn.next_obs[i], rollout.final_obs[t, n])


def test_outcomes_that_the_policy_read_are_drawn_once_each_and_the_rest_is_marked() -> None:
    replay = filled(blocks=2)
    drawn = replay.draw_read(replay.tasks, 15, np.random.default_rng(0))
    assert drawn.unread.sum(0).tolist() == [15 - 4 * 3, 0]  # of even worlds three outcomes each are read, of odd four
    for i in range(2):
        rows = drawn.obs[drawn.unread[:, i] == 0, i].tolist()
        assert len({tuple(row) for row in rows}) == len(rows)
        assert {n % 2 for _, n in rows} == {i}
    assert {t for t, _ in drawn.obs[:12, 0].tolist()} == {0, 2, 3}


def test_the_oldest_trials_leave_first_whole() -> None:
    replay = filled(capacity=6 * STEPS + 5, blocks=2)
    assert len(replay) == 6 * STEPS
    assert worlds_in(replay) == {2, 3, 4, 5, 6, 7}


def test_of_each_task_only_the_last_trials_are_kept() -> None:
    replay = filled(of_a_task=1, blocks=2)
    assert len(replay) == 2 * STEPS
    assert worlds_in(replay) == {6, 7}


@pytest.mark.parametrize("limits", [{}, {"of_a_task": 1}, {"capacity": 6 * STEPS}])
def test_what_is_taken_over_draws_the_same_and_forgets_in_the_same_order(limits: dict[str, Any]) -> None:
    replay, other = filled(**limits, blocks=3), TaskReplay(limits.get("capacity", 100), limits.get("of_a_task"))
    other.load_state_dict(replay.state_dict())
    for _ in range(2):
        assert other.tasks == replay.tasks
        for draw in (lambda r, rng: r.draw(40, rng), lambda r, rng: r.draw_of(r.tasks, 40, rng)):
            assert all(map(torch.equal, draw(replay, np.random.default_rng(1)), draw(other, np.random.default_rng(1))))
        replay.add(played(12))
        other.add(played(12))


@pytest.mark.parametrize(
    ("limits", "remembers"), [({}, 4), ({"of_a_task": 1}, 5), ({"of_a_task": 2}, 5), ({"capacity": 6 * STEPS}, 2)]
)
def test_the_last_rollouts_that_it_remembers_make_it_again(limits: dict[str, int], remembers: int) -> None:
    """Tasks come again in an order of their own: those of one are forgotten, and it comes again behind others."""
    replay, rollouts = TaskReplay(**{"capacity": 100, **limits}), []
    for block, tasks in enumerate(([0, 1, 2, 0], [1, 1, 3, 2], [4, 0, 0, 4], [4, 3, 2, 0], [0, 4, 4, 0], [2, 3, 0, 3])):
        rollout = played(block * TRIALS)
        rollout.context = torch.tensor(tasks).float()[None, :, None].expand(STEPS, -1, -1)
        rollouts.append(rollout)
        replay.add(rollout)
        other = TaskReplay(**{"capacity": 100, **limits})
        for one in rollouts[block + 1 - replay.remembers :]:
            other.add(one)
        assert (other.tasks, len(other)) == (replay.tasks, len(replay))
        for draw in (lambda r, rng: r.draw(40, rng), lambda r, rng: r.draw_of(r.tasks, 40, rng)):
            assert all(map(torch.equal, draw(replay, np.random.default_rng(1)), draw(other, np.random.default_rng(1))))
    assert replay.remembers == remembers


def test_an_empty_one_keeps_nothing_and_says_so() -> None:
    replay = TaskReplay(100)
    assert (len(replay), replay.tasks, replay.state_dict()) == (0, [], {})
    filled().load_state_dict({})
