"""A linear system with two actuators of which the target has lost one, or has it reversed: every cost by Riccati.

s′ = A s + B a + w, w ~ N(0, σ² I), for a cost s'Q s + a'R a per step. The target multiplies the first actuator by
1 − δ. Under the source, E[Δr] = −½ ‖ΔB a‖² / σ²: what the correction adds to the cost is quadratic in the action, and
the policy it leads to is that of a regulator with R + λ ΔB'ΔB / (2σ²).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

DT = 0.1
NOISE = 0.05
ITERATIONS = 1000


@dataclass(frozen=True)
class LinearQuadratic:
    """One system and its cost; all arrays `[2, 2]`."""

    B: np.ndarray = field(default_factory=lambda: DT * np.array([[0.0, 0.0], [1.0, 0.5]]))
    A: np.ndarray = field(default_factory=lambda: np.array([[1.0, DT], [0.0, 1.0]]))
    Q: np.ndarray = field(default_factory=lambda: np.diag([1.0, 0.1]))
    R: np.ndarray = field(default_factory=lambda: 0.01 * np.eye(2))
    noise: float = NOISE

    def weakened(self, delta: float) -> LinearQuadratic:
        """Return the target whose first actuator does 1 − δ of what it did: half lost at 0.5, dead at 1."""
        return LinearQuadratic(self.B @ np.diag([1 - delta, 1.0]), self.A, self.Q, self.R, self.noise)

    def best(self) -> np.ndarray:
        """Return the gains K `[A, S]` of the cheapest policy a = −K s."""
        return riccati(self.A, self.B, self.Q, self.R)

    def cost(self, gains: np.ndarray) -> float:
        """Return the stationary mean cost per step of a = −K s; infinite where that is unstable."""
        closed = self.A - self.B @ gains
        if np.abs(np.linalg.eigvals(closed)).max() >= 1:
            return float("inf")
        size = len(closed)
        noise = self.noise**2 * np.eye(size)
        spread = np.linalg.solve(np.eye(size**2) - np.kron(closed, closed), noise.ravel()).reshape(size, size)
        return float(np.trace((self.Q + gains.T @ self.R @ gains) @ spread))

    def step(self, obs: np.ndarray, action: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the states `[N, 2]` that follow."""
        return obs @ self.A.T + action @ self.B.T + self.noise * rng.standard_normal(obs.shape)


def riccati(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Return the gains of the infinite-horizon regulator, by iterating the Riccati recursion."""
    value, gains = Q, np.zeros((B.shape[1], A.shape[0]))
    for _ in range(ITERATIONS):
        gains = np.linalg.solve(R + B.T @ value @ B, B.T @ value @ A)
        value = Q + A.T @ value @ (A - B @ gains)
    return gains


def corrected_gains(source: LinearQuadratic, target: LinearQuadratic, weight: float = 1.0) -> np.ndarray:
    """Return the gains that are best in the source under the exactly corrected reward."""
    gap = target.B - source.B
    return riccati(source.A, source.B, source.Q, source.R + weight * gap.T @ gap / (2 * source.noise**2))


def exact_delta_reward(
    source: LinearQuadratic, target: LinearQuadratic, obs: np.ndarray, action: np.ndarray, next_obs: np.ndarray
) -> np.ndarray:
    """Return log p_target(s′ | s, a) − log p_source(s′ | s, a) `[N]`, of systems with equal noise."""
    expected = [obs @ system.A.T + action @ system.B.T for system in (source, target)]
    to_source, to_target = (((next_obs - mean) ** 2).sum(-1) for mean in expected)
    return (to_source - to_target) / (2 * source.noise**2)


def expected_delta_reward(source: LinearQuadratic, target: LinearQuadratic, action: np.ndarray) -> np.ndarray:
    """Return the mean of Δr over the source's noise `[N]`: −½ ‖ΔB a‖² / σ²."""
    return -((action @ (target.B - source.B).T) ** 2).sum(-1) / (2 * source.noise**2)
