"""Play a recorded run back as if the robot were there: its readings come, commands are kept and go nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from time import monotonic, sleep
from typing import Self
from urllib.parse import SplitResult, unquote

import numpy as np

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import DriverError, Features, Reading, check_contract, limited_command, query_options
from robots.recordings.files import read_recording
from robots.recordings.recording import Recording, reading_at

OPTIONS = {"speed": float}


def open_url(url: SplitResult, contract: Contract | None) -> ReplayDriver:
    """Make the driver of `replay://FILE?speed=1`: twice as fast with 2, as fast as it is asked with 0."""
    path = unquote(url.netloc + url.path)
    if not path:
        raise ConfigError(f"{url.geturl()}: expected replay://FILE")
    return ReplayDriver.open(path, contract, **query_options(url, OPTIONS))


class ReplayDriver:
    """Gives the readings of a recording in order; `written` are the commands that came, one for each answer."""

    def __init__(self, recording: Recording, contract: Contract | None = None, *, speed: float = 1.0) -> None:
        if not 0.0 <= speed < inf:
            raise ConfigError(f"speed is {speed}; valid is 0 (as fast as asked) and above")
        pace = "realtime" if speed else "lockstep"
        self.features = Features.of(recording.contract, pace, bool(np.isfinite(recording.reward).any()))
        self.written: list[dict[str, float]] = []
        self._recording, self._contract, self._speed = recording, contract, speed
        self._readings: Iterator[Reading] | None = None
        self._began = 0.0

    @classmethod
    def open(cls, path: str, contract: Contract | None = None, *, speed: float = 1.0) -> Self:
        """Read a recording; raises `ConfigError` when it cannot be used."""
        return cls(read_recording(path), contract, speed=speed)

    def connect(self) -> Features:
        """Check the contract and begin; raises `ContractMismatch`."""
        check_contract(self.features, self._contract)
        if self._readings is None:
            self._readings = _readings(self._recording)
            self._began = monotonic()
        return self.features

    def read(self) -> Reading:
        """Return the next reading when its time has come; raises `DriverError` when none is left."""
        if self._readings is None:
            raise DriverError("the recording is not open; call connect() first")
        reading = next(self._readings, None)
        if reading is None:
            raise DriverError(f"all {len(self._recording)} recorded readings are played; open the recording again")
        if self._speed:
            due = self._began + (reading.time - float(self._recording.time[0])) / self._speed
            sleep(max(0.0, due - monotonic()))
        return reading

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Keep a command, moved into the contract's limits; returns it."""
        contract = self._recording.contract
        sent = dict(zip(contract.joint_names, limited_command(command, contract), strict=True))
        self.written.append(sent)
        return dict(sent)

    def stop(self) -> dict[str, float]:
        """Keep the safe command; returns it."""
        self.written.append(self.features.safe_command)
        return self.features.safe_command

    def close(self) -> None:
        """Begin anew with the next connect; safe to call twice."""
        self._readings = None


def _readings(recording: Recording) -> Iterator[Reading]:
    """Yield the recorded readings, and where a trial ended, the reading that says so."""
    reading: Reading | None = None
    for row in range(len(recording)):
        before, reading = reading, reading_at(recording, row)
        if before is not None and reading.trial_start:
            yield _end(before)
        yield reading
    if reading is not None:
        yield replace(_end(reading), session_end=True)


def _end(last: Reading) -> Reading:
    return Reading(last.sequence + 1, last.time, {}, trial_end=True)
