"""What a sensor makes of the truth: delayed, offset, noisy. One pipe for all signals of a contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from robots.contract import Contract


@dataclass(slots=True)
class SignalModel:
    """How one signal departs from the truth: noise sd and offset in the signal's unit, delay in s."""

    noise: float = 0.0
    bias: float = 0.0
    delay: float = 0.0


class SignalPipe:
    """Turn true signal values into what the policy reads, in contract order."""

    FIELDS = tuple(field.name for field in fields(SignalModel))

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.models = {s.name: SignalModel(s.noise, s.bias, s.delay) for s in contract.signals}

    def start(self, rng: np.random.Generator, horizon: int) -> None:
        """Begin an episode of at most `horizon` steps: all its noise is drawn now, from `rng`."""
        size, sizes = self._contract.obs_size, [s.size for s in self._contract.signals]
        models = self.models.values()
        noise = np.repeat([m.noise for m in models], sizes)
        bias = np.repeat([m.bias for m in models], sizes)
        self._error = rng.standard_normal((horizon + 1, size)) * noise + bias
        ages = np.repeat([round(m.delay / self._contract.control_dt) for m in models], sizes)
        self._ages = ages if ages.any() else None
        self._past: list[np.ndarray] = []
        self._step = 0

    def observe(self, truth: Sequence[float]) -> np.ndarray:
        """Return the observation, float32 `[obs_size]`, for the true values now; call once a control step."""
        value = np.array(truth)
        if self._ages is not None:
            value = self._delayed(value)
        value += self._error[self._step]
        self._step += 1
        return value.astype(np.float32)

    def _delayed(self, value: np.ndarray) -> np.ndarray:
        assert self._ages is not None
        self._past.append(value)
        then = np.maximum(len(self._past) - 1 - self._ages, 0)
        return np.array([self._past[t][i] for i, t in enumerate(then)])
