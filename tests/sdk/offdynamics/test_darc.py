"""Δr as learned, against Δr as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sdk.offdynamics.alarms import reachable
from sdk.offdynamics.darc import (
    Darc,
    DomainClassifier,
    Logits,
    accuracy,
    classifier_loss,
    corrected_reward,
    delta_reward,
)
from sdk.offdynamics.transitions import Transitions
from tests.sdk.offdynamics.linear_rows import SOURCE, TARGET, correction, exact, fit, good, rows_of, trained

ROWS = 20_000
UNSEEN = rows_of(SOURCE, ROWS, seed=9)


@pytest.fixture(scope="module")
def plain() -> Darc:
    """States drawn alike in both domains."""
    return trained(rows_of(SOURCE, ROWS, seed=1), rows_of(TARGET, ROWS, seed=2))


@pytest.fixture(scope="module")
def shifted() -> Darc:
    """The target's states lie 0.7 standard deviations elsewhere; the dynamics differ as before."""
    return trained(rows_of(SOURCE, ROWS, seed=1), rows_of(TARGET, ROWS, seed=2, shift=0.7))


def test_the_learned_correction_is_the_exact_one(plain: Darc) -> None:
    found = fit(plain.delta(UNSEEN), exact(UNSEEN))
    assert good(found), found
    assert float(plain.delta(UNSEEN).mean()) == pytest.approx(exact(UNSEEN).mean(), rel=0.25)


def test_other_states_with_the_same_dynamics_leave_the_correction_as_it_is(shifted: Darc) -> None:
    found = fit(shifted.delta(UNSEEN), exact(UNSEEN))
    assert good(found), found


def capped(logits: Logits) -> Tensor:
    """Probabilities taken for logits: log softmax(softmax(·)) lies within ±1."""
    action, transition = (2 * torch.sigmoid(x) - 1 for x in logits)
    return transition - action


def exploding(logits: Logits) -> Tensor:
    """Logits taken for differences of probabilities: twice as large near 0, without bound near ±1."""
    action, transition = (2 * torch.atanh(x.clamp(-0.999, 0.999)) for x in logits)
    return transition - action


def cancelling(logits: Logits) -> Tensor:
    """The (s, a) classifier's log-probability of the target taken from itself: it drops out."""
    action, transition = (torch.stack([-x, x]).mul(0.5).log_softmax(0) for x in logits)
    return transition[1] - transition[0] - action[1] + action[1]


def without_action(logits: Logits) -> Tensor:
    """Only the classifier of (s, a, s′)."""
    return logits[1]


@pytest.mark.parametrize("wrong", [capped, exploding, cancelling, without_action])
def test_each_published_mistake_fails_on_the_same_classifiers(shifted: Darc, wrong: Callable[[Logits], Tensor]) -> None:
    with torch.no_grad():
        found = fit(wrong(shifted.classifier(UNSEEN)), exact(UNSEEN))
    assert not good(found), found


def test_equal_dynamics_under_different_policies_need_no_correction() -> None:
    other = rows_of(SOURCE, 2 * ROWS, seed=2)
    liked = torch.rand(other.size, generator=torch.Generator().manual_seed(0)) < 0.5 + 0.4 * other.action[:, 0]
    darc = trained(rows_of(SOURCE, ROWS, seed=1), other.rows(liked.nonzero()[:, 0]))
    assert float(darc.classifier(UNSEEN)[0].detach().std()) > 0.3, "the policies do differ"
    delta = darc.delta(UNSEEN)
    assert abs(float(delta.mean())) <= 0.05
    assert float(delta.std()) <= 0.15


def test_noise_as_large_as_the_inputs_hides_the_correction(plain: Darc) -> None:
    noisy = trained(rows_of(SOURCE, ROWS, seed=1), rows_of(TARGET, ROWS, seed=2), updates=400, noise=1.0)
    assert fit(noisy.delta(UNSEEN), exact(UNSEEN))[0] < 0.5


def stuck_rows(stuck: bool, seed: int, moves: float | None = None) -> Transitions:
    """A joint that moves by N(0, 1), or by `moves`, beside one that differs in nothing; stuck, it does not move."""
    rng = np.random.default_rng(seed)
    obs, action, step = (rng.standard_normal((ROWS, 2)) for _ in range(3))
    step[:, 0] = 0.0 if stuck else step[:, 0] if moves is None else moves
    return Transitions(*(torch.from_numpy(x.astype(np.float32)) for x in (obs, action, obs + step, np.zeros(ROWS))))


def test_noise_grades_what_a_stuck_joint_cannot_do_by_how_far_it_moved() -> None:
    """Heard with noise of 1, N(0, 1) is N(0, 2) and standing still N(0, 1): Δr is the log of their ratio."""
    free, stuck = stuck_rows(False, seed=1), stuck_rows(True, seed=2)
    graded, sharp = (trained(free, stuck, noise=noise) for noise in (1.0, 0.05))
    for moves in (0.0, 1.0, 2.0, 3.0):
        delta = graded.delta(stuck_rows(False, seed=9, moves=moves))
        assert float(delta.mean()) == pytest.approx(np.log(2) / 2 - moves**2 / 4, abs=0.25), moves
    near, far = (sharp.delta(stuck_rows(False, seed=9, moves=moves)).clamp(-5, 5).mean() for moves in (1.0, 2.0))
    assert float(near - far) < 0.3, "without it, moving less pays nothing"


# --- identities --------------------------------------------------------------------------------------------------


def untrained(**settings: float) -> Darc:
    return Darc(2, 2, correction(hidden=(16,), **settings), seed=0)


def noise(seed: int, rows: int = 64) -> Tensor:
    return 0.05 * torch.randn(rows, 7, generator=torch.Generator().manual_seed(seed))


def test_exchanging_the_domains_negates_the_correction_exactly() -> None:
    source, target = rows_of(SOURCE, 64, seed=1), rows_of(TARGET, 64, seed=2)
    there, back = untrained(), untrained()
    for darc in (there, back):
        darc.classifier.observe(source)
    for i in range(20):
        there.descend(source, target, (noise(i), noise(100 + i)))
        back.descend(target, source, (noise(100 + i), noise(i)))
    assert float(there.delta(UNSEEN).abs().max()) > 1e-3
    torch.testing.assert_close(there.delta(UNSEEN), -back.delta(UNSEEN), rtol=1e-4, atol=1e-5)


def test_without_a_residual_there_is_no_correction_whatever_the_actions_tell() -> None:
    darc = untrained()
    torch.nn.init.ones_(darc.classifier.given_action[-1].weight)
    assert torch.equal(darc.delta(UNSEEN), torch.zeros(UNSEEN.size))
    assert float(darc.classifier(UNSEEN)[0].detach().std()) > 0.1


def test_noise_is_for_training_only() -> None:
    classifier = DomainClassifier(2, 2, (16,))
    torch.nn.init.ones_(classifier.residual[-1].weight)
    rows = rows_of(SOURCE, 64, seed=1)
    calm = delta_reward(classifier(rows))
    assert torch.equal(calm, delta_reward(classifier(rows)))
    assert not torch.equal(calm, delta_reward(classifier(rows, noise(0))))


def test_the_loss_is_that_of_two_classifiers() -> None:
    zeros = torch.zeros(3), torch.zeros(3)
    assert float(classifier_loss(zeros, zeros)) == pytest.approx(2 * np.log(2))
    probability = torch.tensor([0.2, 0.9])
    logits = torch.logit(probability), torch.logit(probability)
    expected = -(torch.log(1 - probability).mean() + torch.log(probability).mean())
    assert float(classifier_loss(logits, logits)) == pytest.approx(float(expected))


def test_weight_and_clip_say_what_an_impossible_transition_costs() -> None:
    delta = torch.tensor([-80.0, -1.0, 0.0, 80.0])
    assert corrected_reward(torch.ones(4), delta, weight=0.5, clip=4.0).tolist() == [-1.0, 0.5, 1.0, 3.0]


def test_where_the_target_never_ends_ending_is_what_is_corrected() -> None:
    rng = np.random.default_rng(0)
    source, target = rows_of(SOURCE, 4000, seed=1), rows_of(SOURCE, 4000, seed=2)
    falls = source._replace(terminated=torch.from_numpy((rng.random(4000) < 0.2).astype(np.float32)))
    delta = trained(falls, target, updates=200).delta(falls)
    assert float(delta[falls.terminated == 1].max()) < -2
    assert float(delta[falls.terminated == 0].mean()) == pytest.approx(np.log(1 / 0.8), abs=0.15)
    assert torch.equal(falls.endless().terminated, torch.zeros(4000))


# --- alarms ------------------------------------------------------------------------------------------------------


def test_alarms_tell_what_was_learned_and_what_a_clip_costs(plain: Darc) -> None:
    delta = plain.delta(UNSEEN)
    alarms = plain.alarms(delta, torch.full((ROWS,), -0.5), episode_steps=40)
    assert alarms.accuracy_action == pytest.approx(0.5, abs=0.03)
    assert 0.6 < alarms.accuracy_transition < 0.9
    assert alarms.delta_q05 < alarms.delta_mean < alarms.delta_q95
    assert alarms.clipped == pytest.approx(float((delta.abs() > 5).float().mean()))
    assert (alarms.penalty_steps, alarms.penalty_episodes) == pytest.approx((10.0, 0.25))
    assert alarms.reachable == reachable(18_000) == pytest.approx(9.798, abs=1e-3)


def test_a_classifier_that_knows_nothing_is_right_half_the_time() -> None:
    assert accuracy(torch.zeros(5), torch.zeros(3)) == 0.5
    assert accuracy(-torch.ones(5), torch.ones(3)) == 1.0
    assert accuracy(torch.tensor([1.0, -1, -1, -1]), torch.ones(1)) == pytest.approx(0.875)


def test_all_that_training_changes_is_in_the_state() -> None:
    one, other = untrained(updates=3), untrained(updates=3)
    one.observe(rows_of(SOURCE, 100, seed=1), rows_of(TARGET, 50, seed=2))
    one.train(0)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for darc in (one, other):
        darc.observe(rows_of(SOURCE, 100, seed=3), None)
        darc.train(1)
    assert torch.equal(one.delta(UNSEEN), other.delta(UNSEEN))
    assert other.kept.size("source") == 180
