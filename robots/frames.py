"""What travels between a policy and a robot over a serial line: frames in a stream of bytes, little-endian.

| bytes | field    | meaning                                                                        |
|-------|----------|--------------------------------------------------------------------------------|
| 1     | start    | `0xA5`; it may occur in the rest of a frame, too                               |
| 2     | length   | bytes of payload                                                               |
| 4     | sequence | number of the reading, or of the reading that a command answers                |
| n     | payload  | 1 byte kind, 1 byte flags, float64 time [s], then values or a fingerprint      |
| 2     | check    | CRC-16/CCITT-FALSE (polynomial 0x1021, from 0xFFFF) of length, sequence, payload |

Kinds and flags are those of `robots.packets`. SENSE and COMMAND carry float32 values in contract order; HELLO and
WELCOME the first 8 bytes of the contract's fingerprint, by which both sides know that order; the others nothing. Where
the contract has `needs_reward: true`, a SENSE ends with the reward, one more float32.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from robots.packets import ALL_FLAGS, KINDS, Kind, PacketError

START = 0xA5
HEAD = struct.Struct("<BHI")
BODY = struct.Struct("<BBd")
CHECK = struct.Struct("<H")
FINGERPRINT_BYTES = 8
MAX_PAYLOAD = 1024
WITH_VALUES = frozenset({Kind.SENSE, Kind.COMMAND})
WITH_FINGERPRINT = frozenset({Kind.HELLO, Kind.WELCOME})


class Frame(NamedTuple):
    """One message; `values` for SENSE and COMMAND, `fingerprint` for HELLO and WELCOME."""

    kind: Kind
    sequence: int = 0
    time: float = 0.0
    flags: int = 0
    values: Sequence[float] = ()
    fingerprint: bytes = b""


def short_fingerprint(fingerprint: str) -> bytes:
    """Return the bytes of a contract's fingerprint that a handshake carries."""
    return bytes.fromhex(fingerprint)[:FINGERPRINT_BYTES]


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes of a frame; raises `PacketError` when it has too many values."""
    rest = struct.pack(f"<{len(frame.values)}f", *frame.values) if frame.kind in WITH_VALUES else frame.fingerprint
    payload = BODY.pack(frame.kind, frame.flags, frame.time) + rest
    if len(payload) > MAX_PAYLOAD:
        raise PacketError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD} fit into a frame")
    data = HEAD.pack(START, len(payload), frame.sequence) + payload
    return data + CHECK.pack(crc_hqx(data[1:], 0xFFFF))


class FrameReader:
    """Finds frames in bytes as they come; `bad` counts starts that were none, damaged frames and unknown kinds."""

    def __init__(self) -> None:
        self.bad = 0
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take in bytes; returns the frames that are complete now. After damage it goes on at the next start byte."""
        self._bytes += data
        frames = []
        while (size := self._size()) is not None:
            frame = self._read(size)
            if frame is None:
                self.bad += 1
                del self._bytes[:1]
            else:
                frames.append(frame)
                del self._bytes[:size]
        return frames

    def _size(self) -> int | None:
        """Skip to a start byte; returns the size of the frame there, 0 if impossible, None until all of it is here."""
        start = self._bytes.find(START)
        del self._bytes[: len(self._bytes) if start < 0 else start]
        if len(self._bytes) < HEAD.size:
            return None
        _, length, _ = HEAD.unpack_from(self._bytes)
        if not BODY.size <= length <= MAX_PAYLOAD:
            return 0
        size = HEAD.size + length + CHECK.size
        return size if len(self._bytes) >= size else None

    def _read(self, size: int) -> Frame | None:
        if not size:
            return None
        data = bytes(self._bytes[:size])
        if CHECK.unpack_from(data, size - CHECK.size)[0] != crc_hqx(data[1 : size - CHECK.size], 0xFFFF):
            return None
        _, _, sequence = HEAD.unpack_from(data)
        kind, flags, time = BODY.unpack_from(data, HEAD.size)
        if kind not in KINDS or flags & ~ALL_FLAGS or not isfinite(time):
            return None
        return _with_rest(Frame(KINDS[kind], sequence, time, flags), data[HEAD.size + BODY.size : size - CHECK.size])


def _with_rest(frame: Frame, rest: bytes) -> Frame | None:
    if frame.kind in WITH_VALUES:
        return None if len(rest) % 4 else frame._replace(values=struct.unpack(f"<{len(rest) // 4}f", rest))
    if frame.kind in WITH_FINGERPRINT:
        return frame._replace(fingerprint=rest) if len(rest) == FINGERPRINT_BYTES else None
    return None if rest else frame
