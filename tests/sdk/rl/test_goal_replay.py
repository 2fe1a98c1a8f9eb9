"""Which goals replace those that were asked for, and that nothing else is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from robots.goals import Goal, GoalReward
from sdk.rl.goal_replay import GoalReplay, Hindsight, Strategy, goal_times, last_of_episode, relabel
from sdk.rl.rollout import Rollout
from sdk.rl.task_replay import Steps, TaskReplay, steps_of

STEPS, TRIALS, ASKED = 12, 3, 99.0
GOAL = GoalReward(success_distance=0.5, sparse=True).goal("place_goal")
SHOWN = slice(1, 3)


def numbered(first: int = 0) -> Rollout:
    """Trials that reach (step, trial) and show (step, goal, goal, trial); the goal asked for is never reached.

    Trial n ends an episode whenever n + 2 divides the steps that are over, so no two trials do it alike.
    """
    t, n = (x.float() for x in torch.meshgrid(torch.arange(STEPS), torch.arange(TRIALS) + first, indexing="ij"))
    goal = torch.full_like(t, ASKED)
    ended = ((t + 1) % (n % TRIALS + 2) == 0).float()
    zeros, none = torch.zeros_like(t), torch.zeros(STEPS, TRIALS, 1)
    start = torch.cat([torch.ones(1, TRIALS), ended[:-1]])[..., None]
    seen, followed = torch.stack([t, goal, goal, n], -1), torch.stack([t + 1, goal, goal, n], -1)
    played: dict[str, Any] = {"last_action": none, "last_reward": none, "action": none, "log_prob": zeros}
    return Rollout(
        obs=seen,
        episode_start=start,
        reward=zeros - 1,
        terminated=zeros,
        truncated=ended,
        final_obs=followed,
        success=zeros,
        context=none,
        achieved=torch.stack([t, n], -1),
        **played,
    )


def filled(strategy: Strategy = "future", k: int = 4, blocks: int = 1, capacity: int = 1000) -> GoalReplay:
    replay = GoalReplay(capacity, GOAL, SHOWN, Hindsight(strategy, k))
    for block in range(blocks):
        replay.add(numbered(block * TRIALS))
    return replay


def ends(t: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the last steps of the episodes that numbered trials are in."""
    length = n % TRIALS + 2
    return np.minimum((t // length + 1) * length, STEPS) - 1


def drawn(replay: GoalReplay, count: int = 2000) -> tuple[Steps, np.ndarray, np.ndarray, np.ndarray]:
    """Return a batch, and of its relabelled steps: step, trial, and the goals that they have now."""
    steps = replay.draw(count, np.random.default_rng(0))
    other = steps.obs[:, 1].numpy() != ASKED
    t, n = steps.obs[other][:, [0, 3]].numpy().T
    return steps, t, n, steps.obs[other][:, SHOWN].numpy()


# --- which goals -----------------------------------------------------------------------------------------------------


def test_the_last_step_of_an_episode_is_the_next_that_ends_one() -> None:
    unread = np.array([[0, 1, 0, 0, 1, 1]] * 6)
    assert last_of_episode(unread, np.arange(6)).tolist() == [1, 1, 4, 4, 4, 5]


def test_future_goals_are_all_that_are_still_to_come_and_the_final_one_is_the_last() -> None:
    time, last = np.full(3000, 3), np.full(3000, 6)
    found, counts = np.unique(goal_times(time, last, "future", np.random.default_rng(0)), return_counts=True)
    assert found.tolist() == [3, 4, 5, 6]
    assert counts == pytest.approx(750, rel=0.15)
    assert set(goal_times(time, last, "final", np.random.default_rng(0))) == {6}


@pytest.mark.parametrize("blocks", [1, 5])
def test_future_goals_were_achieved_later_in_the_same_episode(blocks: int) -> None:
    """With five blocks there is room for two: what was achieved has to move with its trial."""
    replay = filled(blocks=blocks, capacity=STEPS * TRIALS * 2)
    _, t, n, goal = drawn(replay)
    assert np.array_equal(goal[:, 1], n)
    assert np.all((t <= goal[:, 0]) & (goal[:, 0] <= ends(t, n)))
    assert np.any(goal[:, 0] == t)
    assert np.any(goal[:, 0] == ends(t, n))
    assert set(n) == set(range(max(0, blocks - 2) * TRIALS, blocks * TRIALS))


def test_final_goals_were_achieved_at_the_end_of_the_same_episode() -> None:
    _, t, n, goal = drawn(filled("final"))
    assert np.array_equal(goal, np.stack([ends(t, n), n], -1))


@pytest.mark.parametrize(("k", "count", "relabelled"), [(4, 1000, 800), (1, 256, 128), (8, 90, 80), (0, 100, 0)])
def test_k_of_k_plus_1_steps_get_another_goal(k: int, count: int, relabelled: int) -> None:
    steps = filled(k=k).draw(count, np.random.default_rng(0))
    assert int((steps.obs[:, 1] != ASKED).sum()) == relabelled


def test_steps_are_evenly_drawn_with_and_without_another_goal() -> None:
    steps, *_ = drawn(filled(), 10_000)
    for part in (steps.obs[:8000], steps.obs[8000:]):
        _, counts = torch.unique(part[:, [0, 3]], dim=0, return_counts=True)
        assert len(counts) == STEPS * TRIALS
        assert counts.float().std() / counts.float().mean() < 0.2


# --- what a step becomes ---------------------------------------------------------------------------------------------


def test_goals_are_written_where_they_are_read_and_nowhere_else() -> None:
    steps, t, n, goal = drawn(filled())
    first = len(t)
    assert np.array_equal(steps.next_obs[:first, SHOWN].numpy(), goal)
    assert np.array_equal(steps.next_obs[:first, 0].numpy(), t + 1)
    assert np.array_equal(steps.next_obs[:first, 3].numpy(), n)
    assert steps.reward[:first].tolist() == np.where(goal[:, 0] == t, 0.0, -1.0).tolist()
    assert torch.all(steps.reward[first:] == -1)


def rows(terminated: list[float]) -> Steps:
    """Steps that were asked for a goal at 5."""
    flags = torch.tensor(terminated)
    size, obs = len(flags), torch.zeros(len(flags), 2)
    obs[:, 1] = 5.0
    none = torch.zeros(size, 1)
    return Steps(
        obs, none, none, torch.zeros(size), -torch.ones(size), -torch.ones(size), flags, flags, obs.clone(), none
    )


def test_an_episode_ends_where_the_new_goal_ends_it_and_where_it_would_have_ended_anyway() -> None:
    """Reached and ended, now another goal; fell; went on, and would have been there; went on."""
    goal = GoalReward(success_distance=0.5, sparse=True, ends_episode=True).goal("place_goal")
    achieved, desired = np.array([[5.0], [2.0], [2.0], [2.0]]), np.array([[1.0], [1.0], [2.2], [1.0]])
    other = relabel(rows([1, 1, 0, 0]), achieved, desired, goal, slice(1, 2))
    assert other.terminated.tolist() == [0, 1, 1, 0]
    assert other.reward.tolist() == [-1, -1, 0, -1]
    held = relabel(rows([1, 1, 0, 0]), achieved, desired, Goal("place_goal", goal.reward), slice(1, 2))
    assert held.terminated.tolist() == [1, 1, 0, 0]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_played_however_often_it_was_relabelled() -> None:
    replay = filled(blocks=2)
    before = {name: column.clone() for name, column in replay.state_dict().items()}
    achieved = replay._achieved
    assert achieved is not None
    achieved = achieved.clone()
    for seed in range(5):
        replay.draw(500, np.random.default_rng(seed))
    after = replay.state_dict()
    assert after.keys() == before.keys() == {*Steps._fields}
    assert torch.equal(replay._achieved, achieved)  # type: ignore[arg-type]
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(after["obs"][:TRIALS], steps_of(numbered()).obs)
    assert len(replay) == 2 * TRIALS * STEPS


def test_a_replay_that_goes_on_draws_the_same_and_keeps_room_for_as_many() -> None:
    replay, other = (filled(blocks=b, capacity=STEPS * 7) for b in (5, 0))
    assert replay.remembers == -(-7 // TRIALS)
    for block in range(5 - replay.remembers, 5):
        other.add(numbered(block * TRIALS))
    for block in (5, 6):
        pairs = zip(*(r.draw(300, np.random.default_rng(1)) for r in (replay, other)), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        for r in (replay, other):
            r.add(numbered(block * TRIALS))
    assert (len(filled(blocks=0)), filled(blocks=0).remembers) == (0, 0)


def test_more_trials_at_once_than_there_is_room_for_leave_the_last() -> None:
    _, _, n, goal = drawn(filled(capacity=STEPS * 2))
    assert set(n) == {1, 2}
    assert np.array_equal(goal[:, 1], n)


def test_without_hindsight_draws_are_those_of_a_plain_replay() -> None:
    plain = TaskReplay(1000)
    plain.add(numbered())
    rngs = [np.random.default_rng(3) for _ in range(2)]
    pairs = zip(filled(k=0).draw(200, rngs[0]), plain.draw(200, rngs[1]), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert rngs[0].random() == rngs[1].random()
