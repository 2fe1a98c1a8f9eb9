"""A linear system with two actuators, of which the first may have lost some of its effect (`sdk.offdynamics.exact.lq`).

    s′ = A s + B diag(1 − lost, 1) u + w,  u = 5 a,  w ~ N(0, 0.05²);  a step costs s'Q s + u'R u

Protocol: one episode of 40 steps from U[−1, 1]², position and velocity observed. Every cost is known by Riccati, for
the system as it is and for one trained in another: where a correction for other dynamics is measured against numbers.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.offdynamics.exact.lq import LinearQuadratic
from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

REACH = 5.0
"""Largest command of an actuator: the best policies hardly ever ask for more."""
NEAR = 0.2


class LinearSettings(ToySettings):
    """What the first actuator still does."""

    lost: float = Field(default=0.0, ge=0, le=2, description="share of its effect: 1 is dead, 2 reversed")


class LinearTrials(ToyTrials):
    """N starts side by side; success is being near the origin."""

    obs_size = action_size = context_size = 2
    episodes, episode_steps = 1, 40
    reads_reward = False

    def __init__(self, settings: LinearSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.system = LinearQuadratic().weakened(settings.lost)
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        self.first = 2 * keys.uniform("start", 2) - 1
        return self.first

    def start(self, episode: np.ndarray) -> None:
        self.state = self.first.copy()

    def obs(self) -> np.ndarray:
        return self.state.copy()

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        system, before, command = self.system, self.state, REACH * sent
        noise = system.noise * self.luck.normal("noise", 2, first=2 * self.now)
        self.state = before @ system.A.T + command @ system.B.T + noise
        cost = ((before @ system.Q) * before).sum(-1) + ((command @ system.R) * command).sum(-1)
        return -cost, np.linalg.norm(self.state, axis=-1) <= NEAR


TOY = Toy(
    "linear",
    "Eysenbach et al. 2021 (broken actuators)",
    "regulate a linear system whose first actuator may have lost its effect",
    LinearSettings,
    LinearTrials,
)
