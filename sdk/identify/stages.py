"""How far an identification is: its stages, and how many simulations each takes at most."""

from __future__ import annotations

from collections.abc import Callable

from sdk.identify.estimate import POLISH
from sdk.identify.settings import Settings

Report = Callable[[str, int, int], None]
"""Told what is being done, how many simulations that has taken so far, and how many it can be at most."""

JUDGES = 30
"""Worlds of the posterior that foretell the validation runs."""

MOST_AT_ONCE = 16
"""Points that each of two searches by CMA-ES may still ask for when its budget ends."""


def plan(settings: Settings, parameters: int, joints: int) -> dict[str, int]:
    """Return each stage and the simulations that it takes at most, in order."""
    slopes, starts = 1 + 2 * parameters, 4 * joints
    posterior = {"reweight": settings.particles * settings.rounds, "npe": settings.simulations}
    return {
        "what the logs can tell": slopes + starts,
        "estimate": settings.evaluations + 2 * MOST_AT_ONCE + POLISH * (slopes + 4) + slopes + starts,
        "posterior": posterior.get(settings.method, 0),
        "validation": JUDGES + starts,
    }


class Stages:
    """Counts simulations against the plan; what a stage did not need is taken off the total when the next begins."""

    def __init__(self, most: dict[str, int], report: Report) -> None:
        self._most, self._report = most, report
        self._now, self._calls, self._before = next(iter(most)), 0, 0

    def begin(self, name: str) -> None:
        """Enter a stage of the plan."""
        self._now, self._before = name, self._calls

    def count(self, calls: int) -> None:
        """Report that so many simulations have been made in all."""
        self._calls = calls
        names = list(self._most)
        later = sum(self._most[name] for name in names[names.index(self._now) + 1 :])
        self._report(self._now, calls, max(self._before + self._most[self._now], calls) + later)
