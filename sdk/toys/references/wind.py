"""Wind: the oracle's return by quadrature, and two controllers that read nothing but the position.

Knowing w, a position is within reach after n steps if it lies in n·(w + [−0.1, 0.1]²); the oracle enters the goal's
disc at the first n that lets it and stays, since every wind is weaker than its speed.
"""

from __future__ import annotations

import numpy as np

from robots.trial import TrialStep
from sdk.toys.base import ToyTrials
from sdk.toys.references.base import Blind, Known, Random, play, toward
from sdk.toys.wind import GOAL, RADIUS, SPEED, STRONGEST, WindSettings, WindTrials


def best_return(wind: np.ndarray) -> np.ndarray:
    """Return what a policy that knows the winds `[…, 2]` reaches in each."""
    arrival = np.zeros(wind.shape[:-1])
    for n in range(WindTrials.episode_steps, 0, -1):
        nearest = np.clip(GOAL, n * (wind - SPEED), n * (wind + SPEED))
        arrival = np.where(np.linalg.norm(nearest - GOAL, axis=-1) <= RADIUS, n, arrival)
    return WindTrials.episode_steps - arrival + 1


def oracle(points: int = 600) -> float:
    """Return the mean of `best_return` over all winds, by the midpoint rule on `points`² of them."""
    axis = STRONGEST * ((np.arange(points) + 0.5) / points * 2 - 1)
    return float(best_return(np.stack(np.meshgrid(axis, axis), -1)).mean())


class WindBlind(Blind):
    """Steer for the goal as if there were no wind."""

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        return toward(obs, GOAL, SPEED)


class FirstStep(Blind):
    """Step straight up, see where that led, and steer against the wind from then on."""

    def begin(self, worlds: ToyTrials) -> None:
        super().begin(worlds)
        self._wind: np.ndarray | None = None

    def act(self, obs: np.ndarray, episode_start: bool) -> np.ndarray:
        self._before = obs
        if self._wind is None:
            return np.tile([0.0, 1.0], (len(obs), 1))
        return toward(obs, GOAL - self._wind, SPEED)

    def learn(self, step: TrialStep) -> None:
        if self._wind is None:
            self._wind = step.final_obs - self._before - SPEED * step.sent_action


def references(settings: WindSettings, tasks: int = 20_000, seed: int = 0) -> dict[str, Known]:
    """Return the oracle, the controller that identifies the wind, the one that does not, and random play."""
    worlds = WindTrials(settings, tasks, seed=seed, stream="references")
    players = {"first_step": FirstStep(), "wind_blind": WindBlind(), "random": Random(seed)}
    known = {name: Known.of(play(worlds, player, range(tasks))) for name, player in players.items()}
    return {"oracle": Known((oracle(),)), **known}
