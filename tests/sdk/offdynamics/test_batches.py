"""What SAC learns from a batch: corrected or weighted as the estimator sees it now, some of it the target's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sdk.algos.base import Sizes
from sdk.offdynamics import darc as darc_module
from sdk.offdynamics.corrected import Corrected
from sdk.offdynamics.darc import Darc, Logits
from sdk.offdynamics.importance import effective_rows, importance_weights
from sdk.offdynamics.target_data import TargetRows
from sdk.offdynamics.transitions import transitions_of
from sdk.rl.rollout import Rollout, collect
from sdk.rl.sac import Lesson, Sac
from sdk.rl.soft import critic_loss
from sdk.rl.task_replay import Steps, steps_of
from tests.sdk.offdynamics.linear_rows import SOURCE, TARGET, correction, exact, good_fit, rows_of, trained
from tests.sdk.toy_worlds import Offset
from tests.sdk.untrained import learner_of, untrained

UNSEEN = rows_of(SOURCE, 20_000, seed=9)
BATCH = Steps(
    UNSEEN.obs,
    UNSEEN.action,
    UNSEEN.action,
    torch.zeros(UNSEEN.size),
    torch.zeros(UNSEEN.size),
    torch.zeros(UNSEEN.size),
    UNSEEN.terminated,
    UNSEEN.terminated,
    UNSEEN.next_obs,
    torch.zeros(UNSEEN.size, 1),
)
RNG = np.random.default_rng(0)


class Nowhere:
    """A target of which nothing is played."""

    knows_ends = True

    def collect(self, policy: Any, iteration: int) -> TargetRows | None:
        return None


@pytest.fixture(scope="module")
def shifted() -> Darc:
    """The target's states lie 0.7 standard deviations elsewhere, its first actuator is dead."""
    return trained(rows_of(SOURCE, 20_000, seed=1), rows_of(TARGET, 20_000, seed=2, shift=0.7), clip=20.0)


def learning(estimator: Any, size: int = 2, kind: type[Corrected] = Corrected) -> Corrected:
    """SAC behind a correction whose warm-up is over."""
    policy = untrained("sac", Sizes(size, size, 1, reads_reward=False), hidden=(16,), log_std=0.0)
    learner = kind(learner_of("sac", policy, warm_up=0, updates_per_step=0.01), estimator, Nowhere(), episode_steps=40)
    learner.warming_up = False
    return learner


def asked(learner: Corrected, batch: Steps = BATCH) -> Lesson:
    """What the learner itself would be given of a batch."""
    assert isinstance(learner.learner, Sac)
    return learner.learner.lesson(batch, RNG)


def test_a_batch_pays_the_exact_correction(shifted: Darc) -> None:
    assert good_fit(asked(learning(shifted)).steps.reward, exact(UNSEEN))


def capped(logits: Logits) -> Tensor:
    action, transition = (2 * torch.sigmoid(x) - 1 for x in logits)
    return transition - action


def exploding(logits: Logits) -> Tensor:
    action, transition = (2 * torch.atanh(x.clamp(-0.999, 0.999)) for x in logits)
    return transition - action


def without_action(logits: Logits) -> Tensor:
    """Also what is left where the (s, a) classifier's log-probability is taken from itself, but for a factor."""
    return logits[1]


def halved(logits: Logits) -> Tensor:
    return logits[1] / 2


@pytest.mark.parametrize("wrong", [capped, exploding, without_action, halved])
def test_each_published_mistake_fails_in_the_batches_too(
    shifted: Darc, wrong: Callable[[Logits], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(darc_module, "delta_reward", wrong)
    assert not good_fit(asked(learning(shifted)).steps.reward, exact(UNSEEN))


class Stored(Corrected):
    """The mistake of working a step's correction out once, when it is first seen."""

    def lesson(self, steps: Steps, rng: np.random.Generator) -> Lesson:
        if not hasattr(self, "stored"):
            self.stored = super().lesson(steps, rng)
        return self.stored


@pytest.mark.parametrize(("kind", "right"), [(Corrected, True), (Stored, False)])
def test_a_correction_that_is_stored_is_that_of_classifiers_long_gone(
    shifted: Darc, kind: type[Corrected], right: bool
) -> None:
    novice = Darc(2, 2, shifted.settings, seed=0)
    learner = learning(novice, kind=kind)
    assert float(asked(learner).steps.reward.abs().max()) == 0, "nothing has been learned yet"
    novice.load_state_dict(shifted.state_dict())
    paid = asked(learner).steps.reward
    assert (float(paid.std()) > 0 and good_fit(paid, exact(UNSEEN))) is right


# --- importance weights ------------------------------------------------------------------------------------------


def test_weights_make_the_mean_of_the_source_that_of_the_target() -> None:
    """N(0, 1) weighted to be N(0.6, 1): the ratio of densities is exp(0.6 x − 0.18)."""
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(400_000))
    weight = importance_weights(0.6 * x - 0.18, clip=20.0)
    assert float(weight.mean()) == pytest.approx(1.0)
    assert float((weight * x).mean()) == pytest.approx(0.6, abs=0.01)
    assert float((weight * x**2).mean()) == pytest.approx(1.36, abs=0.02)
    assert effective_rows(weight) / len(x) == pytest.approx(np.exp(-(0.6**2)), rel=0.03)
    assert float((x * importance_weights(0.6 * x - 0.18, clip=0.1)).mean()) < 0.2, "the clip costs what it saves"


def test_weights_are_normalised_whatever_a_ratio_is_off_by() -> None:
    delta = torch.tensor([-1.0, 0.0, 2.0])
    torch.testing.assert_close(importance_weights(delta, 9.0), importance_weights(delta + 3, 9.0))
    assert importance_weights(torch.tensor([-50.0, 50.0]), 1.0).tolist() == pytest.approx(
        [2 / (1 + np.e**2), 2 * np.e**2 / (1 + np.e**2)]
    )


def test_the_weights_of_a_batch_foretell_what_the_target_does(shifted: Darc) -> None:
    """Under its actuator dead, the target's mean of the second state is what the weighted source's is."""
    settings = correction(method="importance", clip=8.0, hidden=(48, 48))
    weighting = Darc(2, 2, settings, seed=0)
    weighting.load_state_dict(shifted.state_dict())
    learner = learning(weighting)
    near = (UNSEEN.action[:, 0] > 0.3).nonzero()[:, 0]
    batch = Steps(*(column[near] for column in BATCH))
    lesson = asked(learner, batch)
    assert lesson.weight is not None
    assert torch.equal(lesson.steps.reward, batch.reward), "weights leave rewards alone"
    moved = batch.next_obs - batch.obs @ torch.from_numpy(SOURCE.A.astype(np.float32)).T
    there = float((batch.sent @ torch.from_numpy(TARGET.B.astype(np.float32)).T)[:, 1].mean())
    here = float(moved[:, 1].mean())
    assert float((lesson.weight * moved[:, 1]).mean()) == pytest.approx(there, abs=0.25 * (here - there))


def test_a_critic_s_loss_counts_each_row_by_its_weight() -> None:
    value, target = torch.tensor([[1.0, 2.0], [0.0, 2.0]]), torch.zeros(2)
    assert float(critic_loss(value, target, torch.tensor([2.0, 0.0]))) == 0.5 * (2 * 1 + 0) / 2
    assert torch.equal(critic_loss(value, target, torch.ones(2)), critic_loss(value, target))


# --- steps of the target -----------------------------------------------------------------------------------------


class Again:
    """Plays other trials of the same world."""

    knows_ends = True

    def collect(self, policy: Any, iteration: int) -> TargetRows:
        rollout = collect(Offset(4), policy, list(range(900, 904)), seed=1, stream="target")
        return TargetRows(transitions_of(rollout), rollout)


def rollout_of(policy: Any) -> Rollout:
    return collect(Offset(4), policy, list(range(4)), seed=0, stream="train")


@pytest.mark.filterwarnings("ignore:reward_correction")
def test_steps_of_the_target_stand_in_a_batch_as_they_were_paid() -> None:
    policy = untrained("sac", Sizes(1, 1, 1, reads_reward=False), hidden=(8,), log_std=0.0)
    settings = correction(in_batch=0.25, warm_up=0, updates=20, batch=64, weight=3.0, hidden=(8,))
    sac = learner_of("sac", policy, warm_up=0, updates_per_step=0.05)
    learner = Corrected(sac, Darc(1, 1, settings, seed=0), Again(), episode_steps=5)
    rollout = rollout_of(policy)
    learner.update(rollout, 0, 0.0)
    assert isinstance(sac, Sac)
    steps = sac.replay.draw(40, np.random.default_rng(0))
    lesson = learner.lesson(steps, np.random.default_rng(1))
    there = steps_of(Again().collect(policy, 0).rollout)  # type: ignore[arg-type]
    assert lesson.steps.reward.shape == (40,)
    torch.testing.assert_close(lesson.steps.obs[:30], steps.obs[10:])
    assert not torch.equal(lesson.steps.reward[:30], steps.reward[10:]), "the source's are corrected"
    assert set(lesson.steps.obs[30:, 0].tolist()) <= set(there.obs.flatten().tolist())
    other = learner_of("sac", policy, warm_up=0)
    again = Corrected(other, Darc(1, 1, settings, seed=3), Again(), episode_steps=5)
    again.load_state_dict(learner.state_dict())
    again.warming_up = False
    repeated = again.lesson(steps, np.random.default_rng(1)).steps
    assert all(map(torch.equal, repeated, lesson.steps))
