"""What happens to a robot from outside: pushes, lost commands, a control period that is not kept.

Off at nominal, and then never asked. Chance comes from a generator of its own, so that switching one on does not shift
what sensors and tasks draw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, pi, sin

import numpy as np

from robots.rotation import Vec3

PUSH_TIME = 0.1
"""How long a push lasts [s]."""


@dataclass(slots=True)
class Surroundings:
    """The world's quantities that are not PyBullet's.

    `control_jitter`: standard deviation of the control period [s]; `supply_sag`: share of the torque lost when all
    motors give their limit; `push_force` [N], horizontal, every `push_interval` [s] on average, 0: never;
    `command_dropout`: share of commands that never arrive, the last one stands.
    """

    control_jitter: float = 0.0
    supply_sag: float = 0.0
    push_force: float = 0.0
    push_interval: float = 5.0
    command_dropout: float = 0.0


class Disturbances:
    """One episode's disturbances; `active` says whether there are any to ask for."""

    def __init__(self, physics_dt: float, physics_steps: int) -> None:
        self.world = Surroundings()
        self._physics_dt, self._physics_steps = physics_dt, physics_steps
        self.active = False

    def start(self, rng: np.random.Generator) -> None:
        """Begin an episode; chance comes from a child of `rng`, which stays where it is."""
        self.active = False
        self._parent = rng
        self.refresh()

    def refresh(self) -> None:
        """Read the quantities anew."""
        self._now = now = replace(self.world)
        self._pushes = now.push_force > 0 and now.push_interval > 0
        was, self.active = self.active, self._pushes or now.control_jitter > 0 or now.command_dropout > 0
        if self.active and not was:
            self._rng = self._parent.spawn(1)[0]
            self._next_push, self._push_until = self._wait(0.0), 0.0

    def steps(self) -> int:
        """Return how many physics steps the control period that begins now takes, at least one."""
        jitter = self._now.control_jitter / self._physics_dt
        if jitter == 0.0:
            return self._physics_steps
        return max(1, round(self._rng.normal(self._physics_steps, jitter)))

    def loses_command(self) -> bool:
        """Whether this period's command is lost."""
        lost = self._now.command_dropout
        return lost > 0.0 and self._rng.random() < lost

    def push(self, time: float) -> Vec3 | None:
        """Return the force [N, world] at `time` [s] since episode start, if there is one."""
        if not self._pushes:
            return None
        if time >= self._next_push:
            heading = self._rng.uniform(-pi, pi)
            force = self._now.push_force
            self._force = force * cos(heading), force * sin(heading), 0.0
            self._push_until = time + PUSH_TIME
            self._next_push = self._wait(self._push_until)
        return self._force if time < self._push_until - 1e-9 else None

    def _wait(self, time: float) -> float:
        return time + self._rng.uniform(0.5, 1.5) * self._now.push_interval
