"""Many simulations of the same segments, here or in processes of their own; each parameter set is one call."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from domain_rand.narrowing.prior import Prior
from domain_rand.randomizer import Randomization
from robots.identification.predictor import Predictor
from robots.identification.segments import Segments
from robots.spec import RobotSpec


class Model(NamedTuple):
    """What a process needs to build its own simulator."""

    spec: RobotSpec
    randomization: Randomization


class Simulations:
    """Foretells segments at points of a prior's cube; `calls` and `seconds` count what that took."""

    def __init__(
        self, model: Model, prior: Prior, jobs: int = 1, report: Callable[[int], None] = lambda _: None
    ) -> None:
        self.prior, self.calls, self.seconds = prior, 0, 0.0
        self._report = report
        self._here = Predictor(*model) if jobs <= 1 else None
        self._pool = None
        if jobs > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(jobs, context, _open, (model,))

    def __call__(self, points: np.ndarray, segments: Segments) -> np.ndarray:
        """Return what is foretold `[m, n, outputs]` at points `[m, parameters]`."""
        start = time.monotonic()
        worlds = [self.prior.values(point) for point in points]
        if self._pool is None:
            assert self._here is not None
            results = [self._counted(self._here(values, segments)) for values in worlds]
        else:
            found = self._pool.map(_foretell, worlds, [segments] * len(worlds))
            results = [self._counted(result) for result in found]
        self.seconds += time.monotonic() - start
        return np.array(results)

    def _counted(self, result: np.ndarray) -> np.ndarray:
        self.calls += 1
        self._report(self.calls)
        return result

    def close(self) -> None:
        """End the processes, or release the simulator."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._here is not None:
            self._here.close()


_predictor: Predictor | None = None


def _open(model: Model) -> None:
    global _predictor
    _predictor = Predictor(*model)


def _foretell(values: dict[str, float], segments: Segments) -> np.ndarray:
    assert _predictor is not None
    return _predictor(values, segments)
