"""Frames of a serial line: known bytes, and nothing that a line can do to them gets through."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robots.frames import Frame, FrameReader, encode_frame
from robots.packets import Kind, PacketError

SENSE = Frame(Kind.SENSE, 7, 1.5, 2, (0.5, -2.0))


def test_the_layout_is_what_the_documentation_says() -> None:
    data = encode_frame(SENSE)
    assert data[:7].hex() == "a5" + "1200" + "07000000"
    assert data[7:17].hex() == "04" + "02" + "000000000000f83f"
    assert data[17:25].hex() == "0000003f" + "000000c0"
    assert len(data) == 27


def test_the_check_is_crc_16_ccitt_false() -> None:
    from binascii import crc_hqx

    assert crc_hqx(b"123456789", 0xFFFF) == 0x29B1, "the value that catalogues of CRCs give"


@pytest.mark.parametrize(
    "frame",
    [
        SENSE,
        Frame(Kind.COMMAND, 2**32 - 1, 0.25, 0, (1.0,)),
        Frame(Kind.HELLO, fingerprint=b"12345678"),
        Frame(Kind.BYE),
    ],
)
def test_frames_come_back_whatever_the_pieces(frame: Frame) -> None:
    data = encode_frame(frame) * 3
    for size in (1, 2, 7, len(data)):
        reader = FrameReader()
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        assert [heard for piece in pieces for heard in reader.feed(piece)] == [frame] * 3
        assert reader.bad == 0


@given(st.binary(max_size=200), st.integers(0, 26), st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_a_damaged_frame_is_lost_and_those_around_it_are_not(noise: bytes, at: int, bit: int) -> None:
    damaged = bytearray(encode_frame(SENSE._replace(sequence=8)))
    damaged[at] ^= 1 << bit
    after = encode_frame(SENSE._replace(sequence=9))
    reader = FrameReader()
    heard = reader.feed(encode_frame(SENSE) + bytes(damaged) + noise.replace(b"\xa5", b"") + after + bytes(2000))
    assert [frame.sequence for frame in heard] == [7, 9]


def test_noise_alone_is_no_frame() -> None:
    reader = FrameReader()
    assert reader.feed(random.Random(0).randbytes(20000)) == []
    assert reader.bad > 10


def test_too_many_values_do_not_fit() -> None:
    with pytest.raises(PacketError, match="at most 1024 fit into a frame"):
        encode_frame(Frame(Kind.SENSE, values=[0.0] * 300))
