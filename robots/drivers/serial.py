"""Reach a robot over a serial line, or anything else with a file descriptor, in the frames of `robots.frames`.

A template for a fieldbus of your own: replace the frames, keep the shape. Times in s.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from time import monotonic
from typing import Protocol
from urllib.parse import SplitResult

import numpy as np

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import (
    ContractMismatch,
    DriverError,
    DriverTimeout,
    EpisodeWatch,
    Features,
    Reading,
    limited_command,
    newest_reading,
    query_options,
    required,
)
from robots.frames import Frame, FrameReader, encode_frame, short_fingerprint
from robots.packets import Kind

HELLO_PERIOD = 0.1
OPTIONS = {"baud": int}


class Port(Protocol):
    """An open line: `serial.Serial` of pyserial is one, and so is a pseudo-terminal."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


def open_url(url: SplitResult, contract: Contract | None) -> SerialDriver:
    """Make the driver of `serial:///dev/ttyUSB0?baud=115200`; raises `ConfigError` without a contract."""
    path = url.netloc + url.path
    if not path:
        raise ConfigError(f"{url.geturl()}: expected serial:///dev/NAME")
    return SerialDriver(path, required(contract, url), **query_options(url, OPTIONS))


class SerialDriver:
    """The policy's end of the line: a path, or a port that is open already.

    `old_frames` counts readings that came late or twice, `bad_frames` bytes that were no frame or not the robot's.
    """

    def __init__(
        self,
        line: str | Port,
        contract: Contract,
        *,
        baud: int = 115200,
        timeout: float = 2.0,
        connect_timeout: float = 5.0,
    ) -> None:
        self.features = Features.of(contract)
        self.old_frames = 0
        self._line, self._baud, self._contract = line, baud, contract
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._port: Port | None = None
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self._wrong_size = 0
        self._sequence, self._time, self._episodes = 0, 0.0, EpisodeWatch()

    @property
    def bad_frames(self) -> int:
        """Frames that were damaged, or had not as many values as the contract asks for."""
        return self._reader.bad + self._wrong_size

    def connect(self) -> Features:
        """Open the line and shake hands; raises `DriverError` naming what to do."""
        if self._port is None:
            self._port = _open(self._line, self._baud) if isinstance(self._line, str) else self._line
            os.set_blocking(self._port.fileno(), False)
            try:
                self._shake_hands()
            except BaseException:
                self.close()
                raise
        return self.features

    def read(self) -> Reading:
        """Return the newest reading, waiting for one; raises `DriverTimeout`. See `newest_reading` for skipped ones."""
        reading = newest_reading(self._next_reading, monotonic() + self._timeout, self.features)
        if reading is None:
            raise DriverTimeout(f"robot at {self._name} did not answer for {self._timeout:g} s")
        if reading.trial_end:
            self._send(Frame(Kind.STOP, reading.sequence, reading.time))
        return reading

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Answer the last reading; returns what was sent: inside the limits, in single precision."""
        values = np.array(limited_command(command, self._contract), dtype=np.float32).tolist()
        self._send(Frame(Kind.COMMAND, self._sequence, self._time, 0, values))
        return dict(zip(self._contract.joint_names, values, strict=True))

    def stop(self) -> dict[str, float]:
        """Tell the robot to take its safe command now; never raises. Returns it."""
        self._try_to_send(Frame(Kind.STOP, self._sequence, self._time))
        return self.features.safe_command

    def close(self) -> None:
        """Say goodbye and let go of the line; safe to call twice."""
        if self._port is not None:
            self._try_to_send(Frame(Kind.BYE, self._sequence))
            self._port.close()
        self._port = None

    @property
    def _name(self) -> str:
        return self._line if isinstance(self._line, str) else "the serial line"

    def _shake_hands(self) -> None:
        ours = short_fingerprint(self._contract.fingerprint)
        deadline = monotonic() + self._connect_timeout
        while monotonic() < deadline:
            self._send(Frame(Kind.HELLO, fingerprint=ours))
            reply = self._next(min(monotonic() + HELLO_PERIOD, deadline), (Kind.WELCOME,))
            if reply is not None and reply.fingerprint != ours:
                raise ContractMismatch(
                    f"contracts differ: the policy is made for {self._contract.robot} ({ours.hex()}), the robot "
                    f"follows {reply.fingerprint.hex()}; export the policy again with this robot's contract"
                )
            if reply is not None:
                return
        raise DriverTimeout(
            f"nobody answered at {self._name} for {self._connect_timeout:g} s; check power, cable and baud rate "
            f"({self._baud}), then run again"
        )

    def _next_reading(self, deadline: float) -> Frame | None:
        while (frame := self._next(deadline, (Kind.SENSE, Kind.END))) is not None:
            if frame.sequence <= self._sequence:
                self.old_frames += 1
            elif frame.kind is Kind.SENSE and len(frame.values) != self.features.sense_size:
                self._wrong_size += 1
            else:
                self._sequence, self._time = frame.sequence, frame.time
                return frame._replace(flags=self._episodes.flags(frame))
        return None

    def _next(self, deadline: float, kinds: tuple[Kind, ...]) -> Frame | None:
        """Return the next frame of these kinds, or None at `deadline` (monotonic clock; past: only what is here)."""
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame.kind in kinds:
                    return frame
            if not self._receive(max(0.0, deadline - monotonic())):
                return None

    def _receive(self, seconds: float) -> bool:
        """Take in what comes within a time; returns whether anything did."""
        port = self._connected()
        try:
            if not select.select([port], [], [], seconds)[0]:
                return False
            data = os.read(port.fileno(), 65536)
        except BlockingIOError:
            return False
        except OSError as error:
            raise DriverError(f"lost the line at {self._name} ({error}); plug it in and run again") from None
        if not data:
            raise DriverError(f"{self._name} was closed at the other end; plug it in and run again")
        self._frames += self._reader.feed(data)
        return True

    def _send(self, frame: Frame) -> None:
        """Send within the timeout; raises `DriverError` when the line is gone or takes nothing."""
        port, left = self._connected(), encode_frame(frame)
        deadline = monotonic() + self._timeout
        try:
            while left and select.select([], [port], [], max(0.0, deadline - monotonic()))[1]:
                left = left[os.write(port.fileno(), left) :]
        except OSError as error:
            raise DriverError(f"lost the line at {self._name} ({error}); plug it in and run again") from None
        if left:
            raise DriverTimeout(f"{self._name} took nothing for {self._timeout:g} s; check its handshake lines")

    def _try_to_send(self, frame: Frame) -> None:
        try:
            self._send(frame)
        except (DriverError, ValueError):  # ValueError: the port was closed by somebody else
            return

    def _connected(self) -> Port:
        if self._port is None:
            raise DriverError(f"{self._name} is not connected; call connect() first")
        return self._port


def _open(path: str, baud: int) -> Port:
    """Open a terminal device raw, at a standard rate; raises `DriverError`, or `ConfigError` for another rate."""
    import termios
    import tty

    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise ConfigError(f"{path}: {baud} baud is no standard rate; open it with pyserial and pass the port")
    try:
        port = os.fdopen(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK), "r+b", buffering=0)
    except OSError as error:
        raise DriverError(f"cannot open {path} ({error.strerror}); check the name, the cable and your rights") from None
    try:
        tty.setraw(port.fileno())
        settings = termios.tcgetattr(port.fileno())
        settings[4] = settings[5] = speed
        termios.tcsetattr(port.fileno(), termios.TCSANOW, settings)
    except termios.error as error:
        port.close()
        raise DriverError(f"{path} is no serial line ({error}); give the device of one") from None
    return port
