"""The packet format: what is encoded is parsed back, and nothing else is taken for a packet."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robots.packets import (
    ALL_FLAGS,
    CHECK,
    HEADER,
    MAGIC,
    MAX_PAYLOAD,
    VERSION,
    Kind,
    Packet,
    PacketError,
    encode,
    parse,
)

SEQUENCES = st.integers(0, 2**32 - 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.lists(st.floats(width=64), max_size=40)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


def framed(kind: int, payload: bytes, flags: int = 0, time: float = 0.0, version: int = VERSION) -> bytes:
    """A datagram with a right length and checksum, whatever it says."""
    data = HEADER.pack(MAGIC, version, kind, flags, 1, time, len(payload)) + payload
    return data + CHECK.pack(crc32(data))


def parsed_or_refused(data: bytes) -> Packet | None:
    try:
        return parse(data)
    except PacketError:
        return None


@given(st.sampled_from([Kind.SENSE, Kind.COMMAND]), SEQUENCES, TIMES, st.integers(0, ALL_FLAGS), VALUES)
def test_values_survive_bit_for_bit(kind: Kind, sequence: int, time: float, flags: int, values: list[float]) -> None:
    back = parse(encode(Packet(kind, sequence, time, flags, values)))
    assert (back.kind, back.sequence, back.time, back.flags) == (kind, sequence, time, flags)
    assert struct.pack(f"{len(values)}d", *back.values) == struct.pack(f"{len(values)}d", *values)


@given(st.sampled_from([Kind.HELLO, Kind.WELCOME, Kind.REFUSE]), st.dictionaries(st.text(), JSON, max_size=2))
@settings(max_examples=30)
def test_bodies_survive(kind: Kind, body: dict[str, object]) -> None:
    assert parse(encode(Packet(kind, body=body))).body == body


@given(st.binary(max_size=200))
@example(b"")
@example(MAGIC * 10)
def test_arbitrary_bytes_are_refused_and_nothing_worse(data: bytes) -> None:
    parsed_or_refused(data)


@given(st.integers(0, 255), st.binary(max_size=200), st.integers(0, 2**16 - 1), st.floats())
@example(Kind.HELLO, b"[" * 10_000, 0, 0.0)
@example(Kind.HELLO, b'{"a": NaN}', 0, 0.0)
@example(Kind.HELLO, b"[]", 0, 0.0)
def test_a_right_checksum_earns_no_trust(kind: int, payload: bytes, flags: int, time: float) -> None:
    packet = parsed_or_refused(framed(kind, payload, flags, time))
    assert packet is None or encode(packet)


@given(st.integers(0, len(encode(Packet(Kind.COMMAND, 7, 0.1, 0, (1.0, 2.0)))) * 8 - 1))
def test_one_wrong_bit_is_noticed(bit: int) -> None:
    data = bytearray(encode(Packet(Kind.COMMAND, 7, 0.1, 0, (1.0, 2.0))))
    data[bit // 8] ^= 1 << bit % 8
    assert parsed_or_refused(bytes(data)) is None


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (framed(Kind.SENSE, b"1234567"), "whole number of float64"),
        (framed(Kind.STOP, b"x"), "STOP carries no payload"),
        (framed(99, b""), "unknown kind 99"),
        (framed(Kind.STOP, b"", flags=32), "unknown flags 0x20"),
        (framed(Kind.STOP, b"", time=float("nan")), "time is nan"),
        (framed(Kind.STOP, b"", version=2), "layout version 2; this side speaks 1"),
        (framed(Kind.HELLO, b"[]"), "JSON list, not an object"),
        (b"HTTP/1.1 200 OK and some more bytes", "starts with b'HTTP'"),
        (framed(Kind.STOP, b"") + b"x", "header promises 0 bytes"),
    ],
)
def test_a_refusal_says_what_is_wrong(data: bytes, complaint: str) -> None:
    with pytest.raises(PacketError, match=complaint.replace("(", r"\(")):
        parse(data)


def test_what_does_not_fit_is_not_sent() -> None:
    with pytest.raises(PacketError, match=f"at most {MAX_PAYLOAD}"):
        encode(Packet(Kind.COMMAND, values=[0.0] * (MAX_PAYLOAD // 8 + 1)))
