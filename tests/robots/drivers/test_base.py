"""What drivers share: of many readings that wait on a line the newest counts; no start, end or reward goes astray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from robots.drivers.base import Features, Message, newest_reading
from robots.frames import Frame
from robots.packets import EPISODE_START, SESSION_END, TRIAL_END, TRIAL_START, Kind, Packet

PLAIN = Features("arm", "f", ("hip",), {"pos": 2, "vel": 1}, 0.02, (0.0,))
PAID = replace(PLAIN, gives_reward=True)
Make = type[Packet] | type[Frame]


def line(*messages: Message) -> Callable[[float], Message | None]:
    waiting = list(messages)
    return lambda deadline: waiting.pop(0) if waiting else None


@pytest.mark.parametrize("kind", [Packet, Frame])
def test_the_newest_reading_carries_the_starts_of_those_before(kind: Make) -> None:
    first = kind(Kind.SENSE, 1, 0.02, TRIAL_START | EPISODE_START, (1.0, 2.0, 3.0))
    reading = newest_reading(line(first, kind(Kind.SENSE, 2, 0.04, 0, (4.0, 5.0, 6.0))), 0.0, PLAIN)
    assert reading is not None
    assert (reading.sequence, reading.time) == (2, 0.04)
    assert (reading.episode_start, reading.trial_start) == (True, True)
    assert reading.signals == {"pos": (4.0, 5.0), "vel": (6.0,)}
    assert reading.reward is None


@pytest.mark.parametrize("kind", [Packet, Frame])
def test_what_follows_the_end_of_a_trial_waits(kind: Make) -> None:
    end = kind(Kind.END, 2, 0.04, TRIAL_END | SESSION_END)
    following = line(kind(Kind.SENSE, 1, 0.02, TRIAL_START, (1.0,) * 3), end, kind(Kind.SENSE, 3, 0.06, 0, (9.0,) * 3))
    reading = newest_reading(following, 0.0, PLAIN)
    assert reading is not None
    assert (reading.sequence, reading.trial_end, reading.session_end) == (2, True, True)
    assert (reading.trial_start, dict(reading.signals)) == (False, {})
    after = newest_reading(following, 0.0, PLAIN)
    assert after is not None
    assert after.sequence == 3


def test_an_empty_line_gives_nothing() -> None:
    assert newest_reading(line(), 0.0, PLAIN) is None


def paid(sequence: int, reward: float, flags: int = 0) -> Packet:
    return Packet(Kind.SENSE, sequence, 0.02 * sequence, flags, (1.0, 2.0, 3.0, reward))


def test_the_reward_stands_behind_the_signals() -> None:
    reading = newest_reading(line(paid(1, -0.5)), 0.0, PAID)
    assert reading is not None
    assert (reading.reward, reading.signals) == (-0.5, {"pos": (1.0, 2.0), "vel": (3.0,)})


@pytest.mark.parametrize("flags", [(0, 0, 0), (EPISODE_START, 0, 0), (0, EPISODE_START, 0), (0, 0, EPISODE_START)])
def test_of_skipped_readings_the_reward_of_the_last_command_counts(flags: tuple[int, ...]) -> None:
    """Whichever of them starts an episode: the first reward is always of the episode that the command was given in."""
    waiting = [paid(5 + k, 0.1 * (k + 1), flag) for k, flag in enumerate(flags)]
    reading = newest_reading(line(*waiting), 0.0, PAID)
    assert reading is not None
    assert (reading.sequence, reading.episode_start, reading.reward) == (7, any(flags), 0.1)
