from __future__ import annotations

import numpy as np
import pytest

from sdk.toys.navigation import FURTHEST, NEAR, SPEED, NavigationSettings, NavigationTrials
from sdk.toys.references.base import Known, play
from sdk.toys.references.navigation import Oracle, Trilaterate, located, references


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return references(NavigationSettings(episodes=2), tasks=5000)


@pytest.mark.parametrize(
    ("name", "value", "digit"), [("oracle", -0.504, 5e-4), ("goal_blind", -38.2, 0.05), ("untrained", -89.9, 0.05)]
)
def test_what_is_published(name: str, value: float, digit: float, known: dict[str, Known]) -> None:
    row = known[name]
    assert row.per_episode == pytest.approx([value] * 2, abs=3 * row.standard_error + digit)


def test_three_distances_tell_the_goal_and_the_second_attempt_is_the_oracle_s(known: dict[str, Known]) -> None:
    first, second = known["trilaterate"].per_episode
    assert second == pytest.approx(known["oracle"].per_episode[1], abs=1e-3)
    assert -2 < first < known["oracle"].per_episode[0] - 0.5


def test_the_place_that_three_distances_mean_by_hand() -> None:
    goal = np.array([[0.3, -0.4]])
    squares = [((goal - probe) ** 2).sum(-1) for probe in ([SPEED, 0], [0, SPEED], [0, 0])]
    np.testing.assert_allclose(located(*squares), goal, atol=1e-12)


def test_goals_beyond_the_square_are_uniform_out_to_twice_as_far() -> None:
    worlds = NavigationTrials(NavigationSettings(beyond=True), 40_000, seed=0)
    _, context = worlds.begin(range(40_000))
    np.testing.assert_allclose(worlds.goal, FURTHEST * context, atol=1e-7)
    furthest = np.abs(worlds.goal).max(-1)
    assert furthest.min() >= FURTHEST
    assert furthest.max() <= 2 * FURTHEST
    inner = (furthest < 1.5 * FURTHEST).mean()  # (1.5² − 1) / (2² − 1) of the area
    assert inner == pytest.approx(1.25 / 3, abs=4 / 40_000**0.5)


def test_a_step_by_hand() -> None:
    worlds = NavigationTrials(NavigationSettings(), 2, seed=0)
    worlds.begin(range(2))
    worlds.goal = np.array([[0.4, 0.3], [0.105, -0.1]])
    step = worlds.step(np.array([[3.0, 0.0], [1.0, -1.0]]))
    np.testing.assert_allclose(step.obs, [[0.1, 0], [0.1, -0.1]], atol=1e-7)
    np.testing.assert_allclose(step.reward, [-(0.18**0.5), -0.005], atol=1e-7)  # the move that arrives still counts
    assert step.success.tolist() == [False, True]


class Wobbly(Oracle):
    """Overshoot the goal and miss it more often than not."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self.sent: list[np.ndarray] = []

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        self.sent.append(np.clip(super().act(obs, episode_start) + self._rng.normal(0, 0.6, obs.shape), -1, 1))
        return self.sent[-1]


def ended_on_arrival(goal: np.ndarray, moves: np.ndarray) -> tuple[float, int]:
    """One episode as the paper has it: its return and its length."""
    pos, total, steps = np.zeros(2), 0.0, 0
    for move in moves:
        pos, steps = pos + 0.1 * move, steps + 1
        total -= float(np.hypot(*(pos - goal)))
        if abs(pos[0] - goal[0]) < NEAR and abs(pos[1] - goal[1]) < NEAR:
            break
    return total, steps


def test_an_absorbing_goal_pays_what_an_episode_that_ends_there_does() -> None:
    worlds, player = NavigationTrials(NavigationSettings(episodes=2), 200, seed=0), Wobbly()
    returns = play(worlds, player, range(200))
    moves = np.stack(player.sent, 1).reshape(200, 2, 100, 2)
    ended = [[ended_on_arrival(g, m) for m in attempts] for g, attempts in zip(worlds.goal, moves, strict=True)]
    totals, lengths = np.moveaxis(np.array(ended), -1, 0)
    np.testing.assert_allclose(returns, totals, atol=1e-4)
    assert 50 < (lengths < 100).sum() < 400
    assert lengths.std() > 10


def test_without_the_absorbing_goal_the_two_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = NavigationTrials.advance

    def goes_on(worlds: NavigationTrials, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        worlds.arrived = np.zeros_like(worlds.arrived)
        return advance(worlds, sent)

    returns = []
    for step in (advance, goes_on):
        monkeypatch.setattr(NavigationTrials, "advance", step)
        returns.append(play(NavigationTrials(NavigationSettings(), 50, seed=0), Wobbly(), range(50)).mean())
    assert returns[1] < returns[0] - 0.1


def test_who_has_arrived_stays_and_starts_anew_in_the_next_episode() -> None:
    worlds = NavigationTrials(NavigationSettings(episodes=2), 20, seed=0)
    obs, _ = worlds.begin(range(20))
    for _ in range(5):
        obs = worlds.step((worlds.goal - obs) / SPEED).obs
    rest = [worlds.step(np.ones((20, 2))) for _ in range(95)]
    assert all(step.success.all() for step in rest)
    assert not np.any([step.reward for step in rest])
    np.testing.assert_allclose(rest[-1].final_obs, worlds.goal, atol=NEAR)
    assert not rest[-1].obs.any()
    assert (worlds.step(np.zeros((20, 2))).reward < 0).all()


def test_goals_fill_the_square_and_the_context_tells_them() -> None:
    worlds = NavigationTrials(NavigationSettings(), 2000, seed=0)
    _, context = worlds.begin(range(2000))
    np.testing.assert_allclose(worlds.goal, FURTHEST * context, atol=1e-6)
    assert np.ptp(worlds.goal, axis=0).tolist() == pytest.approx([1, 1], abs=0.01)


def test_a_goal_met_while_probing_is_remembered() -> None:
    worlds = NavigationTrials(NavigationSettings(episodes=2), 1, seed=0)

    class OnAProbe(Trilaterate):
        def begin(self, worlds: NavigationTrials) -> None:  # type: ignore[override]
            super().begin(worlds)
            worlds.goal = np.array([[0.1, 0.005]])

    assert play(worlds, OnAProbe(), [0])[0].tolist() == pytest.approx([-0.005, 0], abs=0.006)


def test_reversed_controls_lead_the_other_way_and_each_sense_is_as_likely() -> None:
    worlds = NavigationTrials(NavigationSettings(reversible=True), 4000, seed=0)
    obs, context = worlds.begin(range(4000))
    assert worlds.context_size == context.shape[1] == 3
    np.testing.assert_allclose(context[:, :2], worlds.goal / FURTHEST, atol=1e-6)
    assert abs((context[:, 2] > 0).mean() - 0.5) < 0.03
    action = np.tile([0.5, -1.0], (4000, 1))
    np.testing.assert_allclose(worlds.step(action).obs - obs, 0.1 * action * context[:, 2:], atol=1e-6)


def test_knowing_the_sense_the_reversible_plane_is_as_easy() -> None:
    found, plain = (references(NavigationSettings(reversible=r), tasks=4000) for r in (True, False))
    for name in ("oracle", "goal_blind"):
        assert found[name].total == pytest.approx(plain[name].total, rel=0.05)
    assert "trilaterate" not in found


def test_what_cannot_be_reversed_is_the_square_as_published() -> None:
    plain, other = (NavigationTrials(NavigationSettings(reversible=r), 50, seed=3) for r in (False, True))
    assert plain.context_size == 2
    assert np.array_equal(plain.begin(range(50))[1], other.begin(range(50))[1][:, :2])
