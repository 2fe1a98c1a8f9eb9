"""Noise in the actions of a trial's first episodes, on the robot as in simulation: who is told more infers more.

A graph draws nothing itself: a trial's memory begins with the noise it will use, and it comes round again.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from domain_rand.randomizer import keyed_rng
from export.manifest import CarryState
from sdk.rl.rollout import Carry

DRAWS = 64
"""Steps before noise comes again."""


class Dither:
    """Standard normal noise `[N, actions]` in the first `episodes` of a trial, then none; without any, no memory."""

    def __init__(self, episodes: int, actions: int, seed: int) -> None:
        self.episodes, self.shape = episodes, (DRAWS, actions)
        noise = keyed_rng(seed, "dither", 0, "draws").standard_normal(self.shape)
        begun = CarryState(name="begun", shape=(1,))
        drawn = CarryState(name="dither", shape=self.shape, initial=tuple(noise.flatten().tolist()))
        self.carry_spec: tuple[CarryState, ...] = (begun, drawn) if episodes else ()

    def luck(self, rngs: list[np.random.Generator]) -> Carry:
        """Return the memory of trials that begin, each with noise of its own."""
        if not self.episodes:
            return ()
        noise = np.stack([rng.standard_normal(self.shape, dtype=np.float32) for rng in rngs])
        return torch.zeros(len(rngs), 1), torch.from_numpy(noise)

    def noise(self, episode_start: Tensor, carry: Carry) -> Tensor | None:
        """Return the noise of a step, if any; `episode_start` `[N, 1]` is 1 where an episode begins."""
        if not self.episodes:
            return None
        begun, noise = carry
        return noise[:, 0] * (begun + episode_start <= self.episodes).to(noise.dtype)

    def after(self, episode_start: Tensor, carry: Carry) -> Carry:
        """Return the memory after a step."""
        if not self.episodes:
            return carry
        begun, noise = carry
        return begun + episode_start, torch.cat([noise[:, 1:], noise[:, :1]], 1)
