"""From samples to a regulator: what is learned under the correction, exact or learned itself, is what Riccati says."""

from __future__ import annotations

import numpy as np
import torch

from sdk.offdynamics.exact.lq import LinearQuadratic, corrected_gains, exact_delta_reward
from sdk.offdynamics.transitions import Transitions
from tests.sdk.offdynamics.linear_rows import SOURCE, TARGET, trained


def features(obs: np.ndarray, action: np.ndarray) -> np.ndarray:
    both = np.concatenate([obs, action], -1)
    i, j = np.triu_indices(both.shape[1])
    return both[:, i] * both[:, j]


def learned_gains(cost: np.ndarray, obs: np.ndarray, action: np.ndarray, next_obs: np.ndarray) -> np.ndarray:
    """Least-squares policy iteration for the mean cost per step, on the samples alone (Lagoudakis and Parr 2003)."""
    x, gains = features(obs, action), SOURCE.best()
    for _ in range(10):
        ahead = features(next_obs, -next_obs @ gains.T)
        design = np.concatenate([x - ahead, np.ones((len(x), 1))], -1)
        instrument = np.concatenate([x, np.ones((len(x), 1))], -1)
        weight = np.linalg.solve(instrument.T @ design, instrument.T @ cost)[:-1]
        H = np.zeros((4, 4))
        H[np.triu_indices(4)] = weight
        H = (H + H.T) / 2
        gains = np.linalg.solve(H[2:, 2:], H[2:, :2])
    return gains


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def lq_samples(rows: int, system: LinearQuadratic = SOURCE, seed: int = 0) -> Rows:
    """Rows that tell the second actuator's small cost from the noise which the first one gives Δr."""
    rng = np.random.default_rng(seed)
    obs, action = 0.5 * rng.standard_normal((rows, 2)), [0.3, 2.0] * rng.standard_normal((rows, 2))
    return obs, action, system.step(obs, action, rng)


def cost_of(rows: Rows) -> np.ndarray:
    obs, action, _ = rows
    cost: np.ndarray = ((obs @ SOURCE.Q) * obs).sum(-1) + ((action @ SOURCE.R) * action).sum(-1)
    return cost


def test_under_the_exact_correction_it_is_the_corrected_regulator() -> None:
    rows = lq_samples(200_000)
    exact = corrected_gains(SOURCE, TARGET)
    found = learned_gains(cost_of(rows) - exact_delta_reward(SOURCE, TARGET, *rows), *rows)
    assert abs(TARGET.cost(found) / TARGET.cost(exact) - 1) <= 0.05
    np.testing.assert_allclose(found, exact, atol=0.05 * np.abs(exact).max())
    uncorrected = learned_gains(cost_of(rows), *rows)
    assert TARGET.cost(uncorrected) > 1.5 * TARGET.cost(exact)


def tensors(rows: Rows) -> Transitions:
    return Transitions(*(torch.from_numpy(x.astype(np.float32)) for x in (*rows, np.zeros(len(rows[0])))))


def test_under_the_learned_correction_the_gap_to_the_oracle_closes() -> None:
    here, there = lq_samples(20_000, SOURCE, seed=1), lq_samples(20_000, TARGET, seed=2)
    darc, rows = trained(tensors(here), tensors(there)), lq_samples(200_000, seed=3)
    found = learned_gains(cost_of(rows) - darc.delta(tensors(rows)).double().numpy(), *rows)
    oracle, uncorrected = TARGET.cost(TARGET.best()), TARGET.cost(SOURCE.best())
    assert TARGET.cost(found) - oracle <= 0.3 * (uncorrected - oracle)
