from __future__ import annotations

import numpy as np
import pytest

from sdk.config import resolve_config
from sdk.engines.local import make_worlds
from sdk.toys.point_robot import VARIANTS, PointSettings, PointTrials, on_arc
from sdk.toys.references.base import Known, play
from sdk.toys.references.point_robot import Oracle, ScanArc, references

TASKS = {"dense": 20_000, "varibad": 2000, "oyster": 4000, "pomdp": 2000}


@pytest.fixture(scope="module")
def known() -> dict[str, dict[str, Known]]:
    return {name: references(PointSettings(variant=name), TASKS[name]) for name in VARIANTS}  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value"), [("oracle", -5.18), ("goal_blind", -15.9)])
def test_the_dense_goal(name: str, value: float, known: dict[str, dict[str, Known]]) -> None:
    row = known["dense"][name]
    assert abs(row.total - value) < 3 * row.standard_error + 0.05  # the second digit of −15.9 is not given


@pytest.mark.parametrize(("variant", "value"), [("varibad", 93.4), ("oyster", 13.38), ("pomdp", 51.9)])
def test_the_oracles_of_the_sparse_goal(variant: str, value: float, known: dict[str, dict[str, Known]]) -> None:
    row = known[variant]["oracle"]
    error = row.standard_error / len(row.per_episode) ** 0.5
    assert row.per_episode == pytest.approx([value] * len(row.per_episode), abs=3 * error + 0.05)


@pytest.mark.parametrize(
    ("variant", "by_attempt"),
    [("varibad", [66.6, 78.5, 78.5]), ("oyster", [2.6, 7.3, 10.8, 11.0, 11.0]), ("pomdp", [37.7, 51.6])],
)
def test_scanning_the_arc(variant: str, by_attempt: list[float], known: dict[str, dict[str, Known]]) -> None:
    # the heuristic's own stride matters to a percent or two
    scan, oracle = known[variant]["scan"], known[variant]["oracle"]
    assert scan.per_episode == pytest.approx(by_attempt, rel=0.02, abs=0.5)
    assert scan.total < oracle.total
    assert known[variant]["random"].total < scan.total / 10


def test_a_scan_that_forgets_where_it_was_paid_gains_nothing() -> None:
    class Forgetful(ScanArc):
        def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
            if episode_start:
                self.begin(self.worlds)
            return super().act(obs, episode_start)

    worlds = PointTrials(PointSettings(variant="oyster"), 1000, seed=0)
    returns = play(worlds, Forgetful(), range(1000)).mean(0)
    assert np.ptp(returns) < 1e-6


def test_rewards_by_hand() -> None:
    distance = np.array([0.0, 0.15, 0.25])
    pays = {name: variant.reward(distance).tolist() for name, variant in VARIANTS.items()}
    assert pays["dense"] == [0, -0.15, -0.25]
    assert pays["varibad"] == pays["oyster"] == [1, 0.85, 0]
    assert pays["pomdp"] == [1, 1, 0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_goals_and_starts_lie_where_the_variant_says(variant: str) -> None:
    worlds = PointTrials(PointSettings(variant=variant), 2000, seed=0)  # type: ignore[arg-type]
    obs, goal = worlds.begin(range(2000))
    box = VARIANTS[variant].start
    low, high = (np.zeros(2), np.zeros(2)) if box is None else map(np.array, box)
    assert (obs >= low).all()
    assert (obs <= high).all()
    if VARIANTS[variant].sparse:
        np.testing.assert_allclose(np.linalg.norm(goal, axis=-1), 1, atol=1e-6)
        assert goal[:, 1].min() >= 0
    else:
        assert np.abs(goal).max() <= 1


def test_a_goal_stays_and_a_random_start_changes_between_episodes() -> None:
    worlds = PointTrials(PointSettings(variant="pomdp"), 10, seed=0)
    first, _ = worlds.begin(range(10))
    goal = worlds.goal.copy()
    for _ in range(worlds.episode_steps):
        step = worlds.step(np.zeros((10, 2)))
    assert np.array_equal(worlds.goal, goal)
    assert not np.isclose(step.obs, first).any()
    assert np.array_equal(step.final_obs, first)


def test_the_oracle_is_never_further_than_another_from_the_goal() -> None:
    worlds = PointTrials(PointSettings(), 200, seed=0)
    best = play(worlds, Oracle(), range(200))
    rng = np.random.default_rng(0)

    class Wobbly(Oracle):
        def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
            return super().act(obs, episode_start) + rng.normal(0, 0.3, obs.shape)

    assert (play(worlds, Wobbly(), range(200)) <= best + 1e-6).all()


def test_the_arc_runs_from_right_to_left() -> None:
    np.testing.assert_allclose(on_arc(np.array([0, np.pi / 2, np.pi])), [[1, 0], [0, 1], [-1, 0]], atol=1e-12)


def test_a_trial_may_have_more_episodes_than_the_variant_s() -> None:
    more, one = (PointTrials(PointSettings(episodes=k), 3, seed=0) for k in (4, None))
    assert (more.trial_steps, one.trial_steps) == (80, 20)
    assert np.array_equal(more.begin([0, 1, 2])[1], one.begin([0, 1, 2])[1])


@pytest.mark.parametrize(("stream", "again"), [("train", True), ("held_out", False)])
def test_a_run_may_train_in_few_worlds_and_is_judged_in_new_ones(stream: str, again: bool) -> None:
    config = resolve_config("pearl", None, ["toy.name=point_robot", "worlds=3"])
    obs, context = make_worlds(config, size=6, seed=0, stream=stream).begin(range(6))
    assert np.array_equal(context[:3], context[3:]) is again
    assert not np.isclose(obs[:3], obs[3:]).all(1).any()


@pytest.mark.parametrize("stream", ["train", "held_out"])
def test_training_may_pay_the_distance_while_all_else_stays(stream: str) -> None:
    plain, dense = (
        PointTrials(PointSettings(variant="oyster", dense_training=on), 200, seed=0, stream=stream)
        for on in (False, True)
    )
    for worlds in (plain, dense):
        worlds.begin(range(200))
    for _ in range(10):
        action = np.tile([0.0, 1.0], (200, 1))
        paid, other = plain.step(action), dense.step(action)
        assert np.array_equal(paid.obs, other.obs)
        assert np.array_equal(paid.success, other.success)
        if stream == "train":
            assert np.allclose(other.reward, -np.linalg.norm(dense.pos - dense.goal, axis=-1))
            assert other.told_reward is not None
            assert np.array_equal(other.told_reward, paid.reward)
        else:
            assert np.array_equal(other.reward, paid.reward)
            assert other.told_reward is None
    assert paid.reward.any()
