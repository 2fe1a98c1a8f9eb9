"""The mismatch of latent dynamics: by hand, and where it grows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdk.offdynamics.par import LatentDynamics, Par, mismatch
from sdk.offdynamics.transitions import Transitions
from tests.sdk.offdynamics.linear_rows import SOURCE, TARGET, correction, rows_of

UNSEEN = rows_of(SOURCE, 4000, seed=9)


def learned(target: Transitions) -> Par:
    par = Par(2, 2, correction(method="par", hidden=(32, 32), updates=400, batch=256, lr=3e-3), seed=0)
    par.observe(rows_of(SOURCE, 4000, seed=1), target)
    par.train(0)
    return par


def test_the_mismatch_is_the_mean_squared_difference_of_codes() -> None:
    found = mismatch(torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    assert found.tolist() == [2.5, 0.0]


def test_codes_have_a_mean_size_of_one_and_what_followed_is_not_bent_to_what_was_foretold() -> None:
    latent = LatentDynamics(2, 2, (8,))
    assert latent.code(torch.randn(5, 2)).abs().mean(-1).tolist() == pytest.approx([1.0] * 5)
    rows = UNSEEN.rows(slice(0, 50))
    moved = rows._replace(next_obs=rows.next_obs.clone().requires_grad_())
    latent(moved).mean().backward()
    assert moved.next_obs.grad is None


def test_it_grows_with_what_the_target_s_dead_actuator_would_have_done() -> None:
    dead = -learned(rows_of(TARGET, 4000, seed=2)).delta(UNSEEN)
    alike = -learned(rows_of(SOURCE, 4000, seed=2)).delta(UNSEEN)
    strong = (UNSEEN.action[:, 0].abs() > 0.7).numpy()
    rise = [float(np.mean(x[strong]) / np.mean(x[~strong])) for x in (dead.numpy(), alike.numpy())]
    assert rise[0] > 1.25 * rise[1]
    assert float(dead.mean()) > float(alike.mean())


def test_all_that_training_changes_is_in_the_state() -> None:
    one, other = (Par(2, 2, correction(method="par", hidden=(8,), updates=3), seed=s) for s in (0, 1))
    one.observe(rows_of(SOURCE, 100, seed=1), rows_of(TARGET, 50, seed=2))
    one.train(0)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.delta(UNSEEN), other.delta(UNSEEN))
    alarms = one.alarms(one.delta(UNSEEN), torch.ones(4000), episode_steps=40).metrics()
    assert np.isfinite(list(alarms.values())).all()
    assert "correction_mismatch_target" in alarms
