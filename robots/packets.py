"""What travels between a policy and a robot over UDP: one packet a datagram, little-endian, nothing implied.

| bytes | field    | meaning                                                                |
|-------|----------|------------------------------------------------------------------------|
| 4     | magic    | `SSHF`                                                                 |
| 1     | version  | of this layout: 1                                                      |
| 1     | kind     | see `Kind`                                                             |
| 2     | flags    | bits below; all others are zero                                        |
| 4     | sequence | number of the reading, or of the reading that a command answers        |
| 8     | time     | float64, the robot's clock [s]; a COMMAND repeats its reading's        |
| 2     | size     | bytes of payload                                                       |
| size  | payload  | float64 values (SENSE, COMMAND), UTF-8 JSON object (handshake), or none |
| 4     | check    | CRC32 of everything before it                                          |

Conversation: HELLO → WELCOME or REFUSE; then each SENSE is answered by a COMMAND or a STOP with its sequence number,
each END by a STOP; BYE leaves. Values stand in contract order: the handshake has agreed on the contract's fingerprint.
A robot whose WELCOME says `"reward": true` sends one more value in SENSE, behind the signals: the reward of the control
period that has just ended, 0 at the start of a trial. `ODD_EPISODE` is set throughout every second episode of a trial:
where it changes, an episode has begun whose first reading was lost.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple
from zlib import crc32

MAGIC = b"SSHF"
VERSION = 1
PROTOCOL = 1
"""Version of the conversation, spoken in HELLO; `VERSION` is that of the layout."""
HEADER = struct.Struct("<4sBBHIdH")
CHECK = struct.Struct("<I")
MAX_PAYLOAD = 16384
MAX_PACKET = HEADER.size + MAX_PAYLOAD + CHECK.size
TRIAL_START, EPISODE_START, TRIAL_END, SESSION_END, ODD_EPISODE = 1, 2, 4, 8, 16
ALL_FLAGS = TRIAL_START | EPISODE_START | TRIAL_END | SESSION_END | ODD_EPISODE


class PacketError(ValueError):
    """Bytes that are no packet; the message says what is wrong with them."""


class Kind(IntEnum):
    """What a packet says; SENSE and END come from the robot, COMMAND and STOP from the policy."""

    HELLO = 1
    WELCOME = 2
    REFUSE = 3
    SENSE = 4
    COMMAND = 5
    STOP = 6
    END = 7
    BYE = 8


KINDS = {int(kind): kind for kind in Kind}
WITH_VALUES = frozenset({Kind.SENSE, Kind.COMMAND})
WITH_BODY = frozenset({Kind.HELLO, Kind.WELCOME, Kind.REFUSE})


class Packet(NamedTuple):
    """One message; `values` in contract order for SENSE and COMMAND, `body` for the handshake."""

    kind: Kind
    sequence: int = 0
    time: float = 0.0
    flags: int = 0
    values: Sequence[float] = ()
    body: Mapping[str, Any] = MappingProxyType({})


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet; raises `PacketError` when its payload is too long to send."""
    payload = _payload(packet)
    if len(payload) > MAX_PAYLOAD:
        raise PacketError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD} fit into a packet")
    kind, sequence, time, flags, _, _ = packet
    data = HEADER.pack(MAGIC, VERSION, kind, flags, sequence, time, len(payload)) + payload
    return data + CHECK.pack(crc32(data))


def parse(data: bytes) -> Packet:
    """Read one datagram; raises `PacketError`, and nothing else, for bytes that are not a packet of this version."""
    if not HEADER.size + CHECK.size <= len(data) <= MAX_PACKET:
        raise PacketError(f"{len(data)} bytes; a packet has {HEADER.size + CHECK.size} to {MAX_PACKET}")
    magic, version, kind, flags, sequence, time, size = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise PacketError(f"starts with {magic!r}, not {MAGIC!r}")
    if version != VERSION:
        raise PacketError(f"layout version {version}; this side speaks {VERSION}")
    if size != len(data) - HEADER.size - CHECK.size:
        raise PacketError(f"header promises {size} bytes of payload, {len(data) - HEADER.size - CHECK.size} came")
    if CHECK.unpack_from(data, HEADER.size + size)[0] != crc32(memoryview(data)[: HEADER.size + size]):
        raise PacketError("CRC32 does not match: damaged on the way")
    _check_header(kind, flags, time)
    return _read_payload(Packet(KINDS[kind], sequence, time, flags), data[HEADER.size : HEADER.size + size])


def _check_header(kind: int, flags: int, time: float) -> None:
    if kind not in KINDS:
        raise PacketError(f"unknown kind {kind}")
    if flags & ~ALL_FLAGS:
        raise PacketError(f"unknown flags {flags & ~ALL_FLAGS:#x}")
    if not isfinite(time):
        raise PacketError(f"time is {time}")


def _payload(packet: Packet) -> bytes:
    if packet.kind in WITH_VALUES:
        return struct.pack(f"<{len(packet.values)}d", *packet.values)
    return json.dumps(dict(packet.body)).encode() if packet.kind in WITH_BODY else b""


def _read_payload(packet: Packet, payload: bytes) -> Packet:
    if packet.kind in WITH_VALUES:
        if len(payload) % 8:
            raise PacketError(f"{len(payload)} bytes are no whole number of float64")
        return packet._replace(values=struct.unpack(f"<{len(payload) // 8}d", payload))
    if packet.kind in WITH_BODY:
        return packet._replace(body=_read_body(payload))
    if payload:
        raise PacketError(f"{packet.kind.name} carries no payload, {len(payload)} bytes came")
    return packet


def _read_body(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        raise PacketError(f"payload is not JSON ({type(error).__name__})") from None
    if not isinstance(body, dict):
        raise PacketError(f"payload is a JSON {type(body).__name__}, not an object")
    return body
