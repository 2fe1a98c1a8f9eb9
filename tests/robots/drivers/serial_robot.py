"""A robot at the other end of a pseudo-terminal, answering frame by frame in a thread."""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Callable
from threading import Thread

from robots.contract import Contract
from robots.frames import Frame, FrameReader, encode_frame, short_fingerprint
from robots.packets import EPISODE_START, TRIAL_START, Kind


class SerialRobot:
    """Answers HELLO, then sends a reading after each command; `heard` are the frames it got, `path` its line's name."""

    def __init__(self, contract: Contract, line: Callable[[bytes], bytes] = bytes, silent: bool = False) -> None:
        self.heard: list[Frame] = []
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._contract, self._line, self._silent = contract, line, silent
        self._sequence = 0
        self._ended, self._end = os.pipe()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, *frames: Frame | bytes) -> None:
        for frame in frames:
            os.write(self._master, frame if isinstance(frame, bytes) else self._line(encode_frame(frame)))

    def sense(self, sequence: int, value: float = 0.25, flags: int = 0) -> Frame:
        """All signals have one value; where a reward is asked for, it is a hundredth of the number, 0 at first."""
        reward = [0.01 * (sequence - 1)] if self._contract.needs_reward else []
        return Frame(Kind.SENSE, sequence, 0.02 * sequence, flags, [value] * self._contract.obs_size + reward)

    def close(self) -> None:
        """Take the robot away; safe to call twice."""
        if self._thread.is_alive():
            os.write(self._end, b"x")
            self._thread.join(5.0)
            for end in (self._master, self._slave, self._ended, self._end):
                os.close(end)

    def _serve(self) -> None:
        reader = FrameReader()
        while self._ended not in (ready := select.select([self._master, self._ended], [], [])[0]):
            assert ready
            for frame in reader.feed(os.read(self._master, 4096)):
                self.heard.append(frame)
                self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        if self._silent or frame.kind is Kind.BYE:
            return
        if frame.kind is Kind.HELLO:
            self.send(Frame(Kind.WELCOME, fingerprint=short_fingerprint(self._contract.fingerprint)))
        self._sequence += 1
        self.send(self.sense(self._sequence, flags=(TRIAL_START | EPISODE_START) * (self._sequence == 1)))
