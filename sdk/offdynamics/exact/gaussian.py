"""Two Gaussian dynamics that differ by a constant push: one number says everything about them.

s′ = s + a + w in the source, s′ = s + a + b + w in the target, w ~ N(0, σ²). Δr is linear in the noise and, in the
source, has mean −b² / 2σ² and standard deviation b / σ whatever is done: a constant, which no policy can avoid.
"""

from __future__ import annotations

import numpy as np


def delta_reward(noise: np.ndarray, push: float, sigma: float) -> np.ndarray:
    """Return log p_target − log p_source of a source step that drew `noise` `[N]`."""
    return (noise**2 - (noise - push) ** 2) / (2 * sigma**2)


def mean_delta_reward(push: float, sigma: float) -> float:
    """Return E[Δr] in the source: minus the divergence KL(source ‖ target)."""
    return -(push**2) / (2 * sigma**2)
