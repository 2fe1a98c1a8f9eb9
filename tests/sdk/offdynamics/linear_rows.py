"""Rows of the linear system, and classifiers trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sdk.offdynamics.darc import Darc
from sdk.offdynamics.exact.lq import LinearQuadratic, exact_delta_reward
from sdk.offdynamics.settings import RewardCorrection, TargetSettings
from sdk.offdynamics.transitions import Transitions

SOURCE = LinearQuadratic()
TARGET = SOURCE.weakened(1.0)


def rows_of(system: LinearQuadratic, rows: int, seed: int, shift: float = 0.0) -> Transitions:
    """Rows with normal states around `shift`, and uniform actions."""
    rng = np.random.default_rng(seed)
    obs, action = shift + rng.standard_normal((rows, 2)), rng.uniform(-1, 1, (rows, 2))
    columns = obs, action, system.step(obs, action, rng), np.zeros(rows)
    return Transitions(*(torch.from_numpy(x.astype(np.float32)) for x in columns))


def exact(rows: Transitions) -> np.ndarray:
    return exact_delta_reward(SOURCE, TARGET, *(x.double().numpy() for x in rows[:3]))


Fit = tuple[float, float, float]


def fit(estimate: Tensor, truth: np.ndarray) -> Fit:
    """Slope and correlation of estimates by truth, and the root mean square error in its standard deviations."""
    found = estimate.double().numpy()
    slope, correlation = np.polyfit(truth, found, 1)[0], np.corrcoef(truth, found)[0, 1]
    return float(slope), float(correlation), float(np.sqrt(np.mean((found - truth) ** 2)) / truth.std())


def good(found: Fit) -> bool:
    slope, correlation, error = found
    return 0.85 <= slope <= 1.15 and correlation >= 0.95 and error <= 0.35


def good_fit(estimate: Tensor, truth: np.ndarray) -> bool:
    return good(fit(estimate, truth))


def correction(**changes: Any) -> RewardCorrection:
    return RewardCorrection(target=TargetSettings(effect="none"), **changes)


def trained(
    source: Transitions, target: Transitions, updates: int = 1200, noise: float = 0.05, clip: float = 5.0
) -> Darc:
    """Classifiers after four rounds of descents, each with half the step size of the one before."""
    settings = correction(hidden=(48, 48), lr=6e-3, updates=updates // 4, batch=512, noise=noise, clip=clip)
    darc = Darc(2, 2, settings, seed=0)
    darc.observe(source, target)
    for i in range(4):
        darc.train(i)
        darc.optimizer.param_groups[0]["lr"] /= 2.5
    return darc
