"""Every control tick of a run in a file, written by a thread of its own: the control tick never waits for it.

The tick is handed over in one append to a bounded queue. What does not fit is dropped and counted; a disk that fails
ends the recording, never the run. Encoding is done one tick at a time, so that Python's lock is free again at once.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from time import sleep
from types import TracebackType
from typing import Any, Self

from export.manifest import Manifest
from robots.contract import Contract
from robots.recordings.files import Writer, create_recording
from robots.recordings.recording import Origin, Tick

QUEUE_TICKS = 4096
PERIOD = 0.05
"""The thread looks into the queue so often [s]; nobody wakes it, because that would cost the control tick time."""


@dataclass(frozen=True)
class RecorderSummary:
    """How the recording went: ticks written, ticks dropped, and why it ended early (None: it did not).

    After an `error` the ticks written last may be missing from the file.
    """

    path: str
    ticks: int
    dropped: int
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        return asdict(self)


class Recorder:
    """Records into `path`, .npz or .mcap, until closed, or until its `with` block is left, however it is left.

    `bundle` is the fingerprint of what drives. Raises `ConfigError` when the file cannot be opened; after that it never
    raises: `summary` says how it went.
    """

    def __init__(
        self, path: str | Path, contract: Contract, bundle: str = "", *, queue_ticks: int = QUEUE_TICKS
    ) -> None:
        self.path = Path(path)
        self.dropped = 0
        self._written = 0
        self._error: str | None = None
        self._queue: deque[tuple[Tick, int]] = deque()
        self._queue_ticks = queue_ticks
        self._ended = Event()
        self._writer: Writer = create_recording(self.path, Origin(contract, bundle))
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def add(self, tick: Tick) -> None:
        """Hand one tick over; drops it when the queue is full or the recording has ended."""
        if len(self._queue) >= self._queue_ticks or self._error is not None or self._ended.is_set():
            self.dropped += 1
        else:
            self._queue.append((tick, self.dropped))

    @property
    def summary(self) -> RecorderSummary:
        """How the recording has gone so far; final once closed."""
        return RecorderSummary(str(self.path), self._written, self.dropped, self._error)

    def close(self) -> None:
        """Write what is left and finish the file; safe to call twice."""
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while not self._ended.wait(PERIOD):
                self._drain()
            self._drain()
            self._writer.close(self.dropped)
        except Exception as error:  # disk full, file gone: the run goes on without a recording
            self.dropped += len(self._queue)
            self._error = f"{type(error).__name__}: {error}"

    def _drain(self) -> None:
        while self._queue:
            tick, dropped = self._queue[0]
            self._writer.add(tick, dropped)
            self._queue.popleft()
            self._written += 1
            sleep(0)


def bundle_fingerprint(manifest: Manifest) -> str:
    """Return the seal of a bundle's manifest: the last line of its `manifest.yaml`."""
    return hashlib.sha256(manifest.to_yaml().encode()).hexdigest()
