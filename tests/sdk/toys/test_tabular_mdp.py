from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.references.base import Known, play
from sdk.toys.references.tabular_mdp import Psrl, plan, references
from sdk.toys.tabular_mdp import ACTIONS, STATES, STEPS, TabularSettings, TabularTrials


def within(known: Known, value: float, error: float = 0.0) -> bool:
    return abs(known.total - value) < 3 * float(np.hypot(known.standard_error, error))


def test_the_known_returns_of_ten_episodes() -> None:
    known = references(TabularSettings(), tasks=2000)
    assert within(known["oracle"], 218.6)
    assert within(known["posterior_sampling_low_prior"], 138.1)  # as Duan et al. (2016) report
    assert within(known["random"], 100.0)
    assert known["random"].total + 20 < known["posterior_sampling"].total < known["oracle"].total - 60


def test_posterior_sampling_learns_and_without_its_evidence_does_not() -> None:
    class Forgetful(Psrl):
        def learn(self, step: object) -> None:
            self._t += 1

    worlds = TabularTrials(TabularSettings(episodes=20), 300, seed=0)
    learns, forgets = (play(worlds, player, range(300)).mean(0) for player in (Psrl(), Forgetful()))
    assert learns[-1] > learns[0] + 5
    assert abs(forgets[-1] - forgets[0]) < 1.5


def test_a_plan_by_hand() -> None:
    # every action leads to state 1 and nowhere else; action 2 pays 3 in state 1, all else 0
    reward, transition = np.zeros((1, STATES, ACTIONS)), np.zeros((1, STATES, ACTIONS, STATES))
    reward[0, 1, 2], transition[..., 1] = 3, 1
    actions, value = plan(reward, transition)
    assert value[0] == pytest.approx(3 * (STEPS - 1))
    assert (actions[:, 0, 1] == 2).all()


def test_a_plan_is_worth_what_playing_it_brings() -> None:
    worlds = TabularTrials(TabularSettings(), 4000, seed=3)
    worlds.begin(range(4000))
    actions, value = plan(worlds.mean_reward, worlds.transition)
    total = np.zeros(4000)
    for t in range(STEPS):
        total += worlds.step(np.eye(ACTIONS)[actions[t, np.arange(4000), worlds.state]]).reward
    difference = total - value
    assert abs(difference.mean()) < 3 * difference.std() / 4000**0.5


def played_at_random(stream: str, regret: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What was paid and told, `[T, N]`, and the value of each task's episode."""
    worlds = TabularTrials(TabularSettings(episodes=2, regret=regret), 4000, seed=3, stream=stream)
    worlds.begin(range(4000))
    steps = [worlds.step(action) for action in np.random.default_rng(0).random((worlds.trial_steps, 4000, ACTIONS))]
    told = np.stack([s.reward if s.told_reward is None else s.told_reward for s in steps])
    return np.stack([s.reward for s in steps]), told, plan(worlds.mean_reward, worlds.transition)[1]


def test_regret_is_what_an_episode_lacks_to_the_known_tasks_value() -> None:
    paid, told, value = played_at_random("train", regret=True)
    assert (paid <= 1e-6).all()
    lacking = told.sum(0) - 2 * value - paid.sum(0)
    assert abs(lacking.mean()) < 3 * lacking.std() / 4000**0.5
    assert paid.sum(0).std() < 0.8 * told.sum(0).std()  # what it is for


def test_regret_is_never_paid_in_held_out_worlds_nor_told_to_the_policy() -> None:
    for stream, same in (("held_out", True), ("train", False)):
        (plain, _, _), (paid, told, _) = played_at_random(stream, False), played_at_random(stream, True)
        np.testing.assert_array_equal(told, plain)
        assert np.array_equal(paid, plain) is same


def test_tasks_have_the_distribution_they_claim() -> None:
    worlds = TabularTrials(TabularSettings(), 500, seed=0)
    worlds.begin(range(500))
    assert worlds.mean_reward.mean() == pytest.approx(1, abs=0.03)
    assert worlds.mean_reward.var() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(worlds.transition.sum(-1), 1)
    assert worlds.transition.var() == pytest.approx(9 / 1100, rel=0.02)  # Dirichlet(1) over ten: (1/10)(9/10)/11
