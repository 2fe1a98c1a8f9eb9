"""The sampler that restricts nothing, and what every sampler is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain_rand.randomizer import Context, Randomization


class Sampler(Protocol):
    """Decides which worlds are met: where in its distribution each `task` parameter of world `index` is drawn.

    Pure and keyed: (seed, index, stream) give the same numbers in [0, 1] in every process, as long as the sampler
    itself is the same.
    """

    @property
    def randomization(self) -> Randomization: ...
    def uniforms(self, seed: int, index: int, stream: str = "train") -> dict[str, float]: ...


@dataclass(frozen=True)
class Plain:
    """Every world, as often as its distribution says."""

    randomization: Randomization

    def uniforms(self, seed: int, index: int, stream: str = "train") -> dict[str, float]:
        """Return the uniforms of world `index`, by name."""
        places = self.randomization.uniforms(seed, index, stream)
        return {name: places[name] for name in task_names(self.randomization)}


def sample(
    sampler: Sampler, seed: int, index: int, stream: str = "train", fixed: Mapping[str, float] | None = None
) -> Context:
    """Return world `index` of a sampler; see `Randomization.draw`."""
    return sampler.randomization.draw(seed, index, stream, fixed, sampler.uniforms(seed, index, stream))


def task_names(randomization: Randomization) -> tuple[str, ...]:
    """Return the names that a sampler rules: those drawn once for each world."""
    return tuple(name for name in randomization.names if randomization.parameters[name].when == "task")
