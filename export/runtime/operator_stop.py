"""Ctrl-C and SIGTERM as an operator's wish: the first asks for a soft stop, the second interrupts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the name of the first signal inside this block; from the second on, raise `KeyboardInterrupt`.

    A signal that the process ignores stays ignored, and outside the main thread, where Python takes no signals,
    nothing changes. The handlers from before are back after the block.
    """
    asked: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        stop("interrupted by Ctrl-C" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
