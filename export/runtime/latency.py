"""How long ticks take: a histogram that costs the loop next to nothing, and what the scheduler added to it."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

try:
    import resource
except ImportError:  # not a POSIX system: preemption stays unknown
    resource = None  # type: ignore[assignment]

LONGEST_US = 100_000


class Latency:
    """Times in µs, counted in bins of 1 µs up to 0.1 s; longer ones share the last bin, the maximum is exact."""

    def __init__(self) -> None:
        self._bins = array("q", bytes(8 * (LONGEST_US + 1)))  # one number of it is counted faster than of NumPy's
        self.max_us = 0.0

    def add(self, time_us: float) -> None:
        """Count one tick."""
        self._bins[int(time_us) if time_us < LONGEST_US else LONGEST_US] += 1
        if time_us > self.max_us:
            self.max_us = time_us

    def joined(self, other: Latency) -> Latency:
        """Return the ticks of both."""
        both = Latency()
        both._bins = array("q", (self._counts + other._counts).tobytes())
        both.max_us = max(self.max_us, other.max_us)
        return both

    @property
    def _counts(self) -> np.ndarray:
        return np.frombuffer(self._bins, dtype=np.int64)

    @property
    def count(self) -> int:
        """Ticks counted."""
        return int(self._counts.sum())

    def percentile(self, percent: float) -> float:
        """Return the time [µs] that `percent` of the ticks stay below, to 1 µs; 0 without ticks."""
        if not self.count:
            return 0.0
        rank = max(1, int(np.ceil(self.count * percent / 100)))
        bin_us = int(np.searchsorted(np.cumsum(self._counts), rank))
        return self.max_us if bin_us == LONGEST_US else min(bin_us + 1.0, self.max_us)

    def plain(self) -> dict[str, Any]:
        """Return the summary and a histogram in powers of two, as JSON-compatible data."""
        edges = [0, *(2**k for k in range(int(LONGEST_US).bit_length() + 1))]
        counts = np.add.reduceat(np.append(self._counts, np.zeros(edges[-1] - LONGEST_US)), edges[:-1])
        bins = {f"{low}-{high}": int(n) for low, high, n in zip(edges, edges[1:], counts, strict=False) if n}
        p50, p99 = self.percentile(50), self.percentile(99)
        return {"count": self.count, "p50_us": p50, "p99_us": p99, "max_us": self.max_us, "histogram_us": bins}


def preemptions() -> int:
    """Return how often the scheduler has taken the processor from this thread so far; 0 where it does not say."""
    who = getattr(resource, "RUSAGE_THREAD", None)
    return 0 if who is None else resource.getrusage(who).ru_nivcsw
