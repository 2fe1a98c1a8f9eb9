"""What drivers share: of many readings that wait on a line the newest counts, and no start or end is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from robots.drivers.base import Message, newest_reading
from robots.frames import Frame
from robots.packets import EPISODE_START, SESSION_END, TRIAL_END, TRIAL_START, Kind, Packet

SIZES = {"pos": 2, "vel": 1}
Make = type[Packet] | type[Frame]


def line(*messages: Message) -> Callable[[float], Message | None]:
    waiting = list(messages)
    return lambda deadline: waiting.pop(0) if waiting else None


@pytest.mark.parametrize("kind", [Packet, Frame])
def test_the_newest_reading_carries_the_starts_of_those_before(kind: Make) -> None:
    first = kind(Kind.SENSE, 1, 0.02, TRIAL_START | EPISODE_START, (1.0, 2.0, 3.0))
    reading = newest_reading(line(first, kind(Kind.SENSE, 2, 0.04, 0, (4.0, 5.0, 6.0))), 0.0, SIZES)
    assert reading is not None
    assert (reading.sequence, reading.time) == (2, 0.04)
    assert (reading.episode_start, reading.trial_start) == (True, True)
    assert reading.signals == {"pos": (4.0, 5.0), "vel": (6.0,)}


@pytest.mark.parametrize("kind", [Packet, Frame])
def test_what_follows_the_end_of_a_trial_waits(kind: Make) -> None:
    end = kind(Kind.END, 2, 0.04, TRIAL_END | SESSION_END)
    following = line(kind(Kind.SENSE, 1, 0.02, TRIAL_START, (1.0,) * 3), end, kind(Kind.SENSE, 3, 0.06, 0, (9.0,) * 3))
    reading = newest_reading(following, 0.0, SIZES)
    assert reading is not None
    assert (reading.sequence, reading.trial_end, reading.session_end) == (2, True, True)
    assert (reading.trial_start, dict(reading.signals)) == (False, {})
    after = newest_reading(following, 0.0, SIZES)
    assert after is not None
    assert after.sequence == 3


def test_an_empty_line_gives_nothing() -> None:
    assert newest_reading(line(), 0.0, SIZES) is None
