"""What a sensor makes of the truth: late, slow, offset, noisy, in steps, missing. One pipe for all signals.

A reading taken at control step s is `quantised(truth(s − delay) + noise(s) + bias)`; a slow or dropping sensor delivers
the reading of an earlier step again. Only what a robot uses costs time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import add

import numpy as np

from robots.contract import Contract, Signal

BLOCK = 64
"""Steps for which noise is drawn at a time."""


@dataclass(slots=True)
class SignalModel:
    """How one signal departs from the truth: noise sd, offset and step in the signal's unit, times in s."""

    noise: float = 0.0
    bias: float = 0.0
    delay: float = 0.0
    quantum: float = 0.0
    dropout: float = 0.0
    period: float = 0.0

    @classmethod
    def nominal(cls, signal: Signal) -> SignalModel:
        """Return the model that the contract states."""
        return cls(
            signal.noise, signal.bias, signal.delay, signal.quantum or 0.0, signal.dropout or 0.0, signal.period or 0.0
        )


class SignalPipe:
    """Turn true signal values into what the policy reads, in contract order."""

    FIELDS = tuple(field.name for field in fields(SignalModel))

    def __init__(self, contract: Contract) -> None:
        self._dt = contract.control_dt
        self._size = contract.obs_size
        self._sizes = [s.size for s in contract.signals]
        self.models = {s.name: SignalModel.nominal(s) for s in contract.signals}

    def start(self, rng: np.random.Generator) -> None:
        """Begin an episode; from now on `rng` belongs to its sensors. Models are read anew."""
        self._rng = rng
        self._step = 0
        self._past: list[np.ndarray] = []
        self._reading = np.zeros(self._size)
        self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Read the models anew within an episode: what is on its way stays, what comes is different."""
        models = self.models.values()
        self._noise, self._bias = self._per_channel("noise"), self._per_channel("bias")
        self._scale_errors()
        steps = [round(m.delay / self._dt) for m in models]
        self._ages = np.repeat(steps, self._sizes) if any(steps) else None
        holds = [max(1, round(m.period / self._dt)) for m in models]
        self._holds = np.repeat(holds, self._sizes) if any(hold > 1 for hold in holds) else None
        self._dropout = [m.dropout for m in models] if any(m.dropout for m in models) else None
        self._quantum = self._per_channel("quantum") if any(m.quantum for m in models) else None
        self._plain = self._ages is None and self._holds is None and self._dropout is None and self._quantum is None

    def observe(self, truth: Sequence[float]) -> np.ndarray:
        """Return the observation, float32 `[obs_size]`, for the true values now; call once a control step."""
        row = self._step % BLOCK
        if row == 0 and self._step:
            self._draw()
            self._scale_errors()
        if self._plain:  # plain numbers: right after physics every call of NumPy is a cold one
            reading = np.array(list(map(add, truth, self._plain_errors[row])), dtype=np.float32)
        else:
            reading = self._imperfect(np.array(truth), row).astype(np.float32)
        self._step += 1
        return reading

    def _imperfect(self, value: np.ndarray, row: int) -> np.ndarray:
        if self._ages is not None:
            value = self._delayed(value, self._ages)
        value = value + self._errors[row]
        if self._quantum is not None:
            steps = np.where(self._quantum > 0, self._quantum, 1.0)
            value = np.where(self._quantum > 0, np.round(value / steps) * steps, value)
        fresh = self._arriving()
        self._reading = value if fresh is None else np.where(fresh, value, self._reading)
        return self._reading

    def _delayed(self, value: np.ndarray, ages: np.ndarray) -> np.ndarray:
        self._past.append(value)
        then = np.maximum(len(self._past) - 1 - ages, 0)
        return np.array([self._past[t][i] for i, t in enumerate(then)])

    def _arriving(self) -> np.ndarray | None:
        """Which channels deliver a new reading at this step; None: all."""
        if self._step == 0 or (self._holds is None and self._dropout is None):
            return None
        fresh = np.ones(self._size, dtype=bool) if self._holds is None else self._step % self._holds == 0
        if self._dropout is not None:
            arrives = self._rng.random(len(self._dropout)) >= self._dropout
            fresh = fresh & np.repeat(arrives, self._sizes)
        return fresh

    def _draw(self) -> None:
        self._unit = self._rng.standard_normal((BLOCK, self._size))

    def _scale_errors(self) -> None:
        self._errors = self._unit * self._noise + self._bias
        self._plain_errors = self._errors.tolist()

    def _per_channel(self, field: str) -> np.ndarray:
        return np.repeat([getattr(m, field) for m in self.models.values()], self._sizes)
