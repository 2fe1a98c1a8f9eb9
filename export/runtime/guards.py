"""What can be wrong with a reading, a clock or a command: one small function or class for each.

A guard looks at one tick and returns what is wrong in words, or None; what follows is the supervisor's business.
Plain floats, because they all run in every control period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import acos, exp, inf, isfinite, sqrt
from operator import ne
from typing import Literal, NamedTuple, Protocol

from robots.contract import Contract, Pair
from robots.drivers.base import Reading

Signals = Mapping[str, Sequence[float]]
Columns = Mapping[str, tuple[str, int]]
"""Where each joint's measured value is: signal and place in it."""


class Recent:
    """Counts the bad ones among the last `of` ticks."""

    def __init__(self, count: int, of: int) -> None:
        self._count, self._window = count, (1 << of) - 1
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self._bits = 0

    def add(self, bad: bool) -> bool:
        """Count one tick; returns whether `count` of the last `of` were bad."""
        if not bad and not self._bits:
            return False
        self._bits = (self._bits << 1 | bad) & self._window
        return self._bits.bit_count() >= self._count


def runs_backwards(before: Reading, now: Reading) -> str | None:
    """Say so when the robot's clock or its count of readings went back, or the clock shows no time at all."""
    if now.sequence < before.sequence:
        return f"reading {now.sequence} came after reading {before.sequence}; did the robot start anew?"
    if not now.time >= before.time:  # NaN too
        return f"the robot's clock went from {before.time:g} s to {now.time:g} s"
    return None


def stale(before: Reading, now: Reading) -> str | None:
    """Say so when a reading is not newer than the one before: the sensors or the robot's clock stand still."""
    if now.sequence == before.sequence:
        return f"reading {now.sequence} came again"
    if now.time == before.time:
        return f"the robot's clock stands at {now.time:g} s"
    return None


def leaps(before: Reading, now: Reading, max_gap: float, control_dt: float) -> str | None:
    """Say so when more than `max_gap` [s] lies between two readings, by the clock or by their numbers."""
    gap = max(now.time - before.time, (now.sequence - before.sequence) * control_dt)
    return f"{gap:.3g} s between two readings; allowed are {max_gap:g} s" if gap > max_gap else None


def single_precision(limits: Sequence[Pair]) -> list[Pair]:
    """Return limits that a command at their edge keeps to also when it was sent in single precision."""
    slacks = [1e-6 * max(abs(low), abs(high)) for low, high in limits]
    return [(low - slack, high + slack) for (low, high), slack in zip(limits, slacks, strict=True)]


def wrongly_sent(sent: Mapping[str, float], names: Sequence[str], limits: Sequence[Pair]) -> str | None:
    """Say so when what a driver reports as sent is incomplete, not finite or outside `limits`."""
    if len(sent) != len(names):
        return f"the driver reports commands to {', '.join(sent) or 'none'}; the robot has {', '.join(names)}"
    for name, (low, high) in zip(names, limits, strict=True):
        value = sent.get(name)
        if value is None or not low <= value <= high:
            return f"the driver reports {value} sent to {name}; its limits are {low:g} to {high:g}"
    return None


class JointRange:
    """Measured joint values stay inside `[low, high]` per joint; what is not a number is outside."""

    def __init__(self, what: str, unit: str, ranges: Mapping[str, Pair], columns: Columns) -> None:
        self._what, self._unit = what, unit
        self._places = [(*columns[joint], joint, low, high) for joint, (low, high) in ranges.items()]

    def check(self, signals: Signals) -> str | None:
        """Name the first joint that is outside."""
        for signal, at, joint, low, high in self._places:
            if not low <= signals[signal][at] <= high:
                value = signals[signal][at]
                return f"{self._what} of {joint} is {value:.4g} {self._unit}; allowed is {low:.4g} to {high:.4g}"
        return None


class Frozen:
    """No value of a noisy signal stays the same, bit for bit, for `ticks` readings after another."""

    def __init__(self, signal: str, ticks: int) -> None:
        self._signal, self._ticks = signal, ticks
        self.reset()

    def reset(self) -> None:
        """Forget the last reading."""
        self._before: tuple[float, ...] = ()
        self._same: list[int] = []

    def check(self, signals: Signals) -> str | None:
        """Name the value that has not changed for too long."""
        before, self._before = self._before, tuple(signals[self._signal])
        if len(before) != len(self._before) or all(map(ne, self._before, before)):
            self._same = []
            return None
        counts = self._same or [0] * len(before)
        self._same = [count + 1 if a == b else 0 for count, a, b in zip(counts, before, self._before, strict=True)]
        longest = max(self._same)
        if longest < self._ticks:
            return None
        at = self._same.index(longest)
        return f"{self._signal}[{at}] has read {before[at]:g} for {longest + 1} readings"


STUCK_MEMORY = 0.5
"""The time [s] within which a motion counts; what noise and bias of a velocity seem to move before is forgotten."""


class StuckEncoder:
    """A joint's position does not read the same while its velocity reads a motion of more than `travel`."""

    def __init__(self, travel: Mapping[str, float], pos: Columns, vel: Columns, control_dt: float) -> None:
        self._places = [(joint, *pos[joint], *vel[joint], limit / control_dt) for joint, limit in travel.items()]
        self._dt = control_dt
        self._keep = exp(-control_dt / STUCK_MEMORY)
        self.reset()

    def reset(self) -> None:
        """Forget the last reading."""
        self._before: list[float] = [inf] * len(self._places)
        self._moved = [0.0] * len(self._places)

    def check(self, signals: Signals) -> str | None:
        """Name the joint whose two sensors contradict each other."""
        before, moved = self._before, self._moved
        for k, (joint, pos, i, vel, j, limit) in enumerate(self._places):
            value = signals[pos][i]
            if value != before[k]:
                before[k], moved[k] = value, 0.0
                continue
            moved[k] = moved[k] * self._keep + signals[vel][j]
            if not -limit <= moved[k] <= limit:
                gone = abs(moved[k]) * self._dt
                return f"position of {joint} stays at {value:g} while its velocity says that it moved by {gone:.3g}"
        return None


class Tilt:
    """The base leans no further than `limit` [rad] from upright, by projected gravity (3) or a quaternion xyzw (4)."""

    def __init__(self, signal: str, limit: float) -> None:
        self._signal, self._limit = signal, limit

    def check(self, signals: Signals) -> str | None:
        """Say how far it leans, or that the sensor shows no direction."""
        upright = cos_tilt(signals[self._signal])
        if upright is None:
            return f"{self._signal} reads {list(signals[self._signal])}, which is no direction"
        tilt = acos(upright)
        return f"the base leans by {tilt:.3g} rad; allowed are {self._limit:g}" if tilt > self._limit else None


def cos_tilt(direction: Sequence[float]) -> float | None:
    """Return the cosine of the angle between the base's z axis and up; None when the sensor shows no direction.

    `direction` is gravity in the base frame (x, y, z) or the base's orientation (x, y, z, w), of any length.
    """
    length = sqrt(sum(value * value for value in direction))
    if not 0.1 < length < inf:
        return None
    unit = [value / length for value in direction]
    return max(-1.0, min(1.0, -unit[2] if len(unit) == 3 else 1.0 - 2.0 * (unit[0] ** 2 + unit[1] ** 2)))


class Verdict(NamedTuple):
    """What a monitor thinks of a tick, and why.

    "ok"; "fall_back": take `command` instead of the policy's, or without one the safe command; "stop": end the run.
    """

    action: Literal["ok", "fall_back", "stop"] = "ok"
    reason: str = ""
    command: Mapping[str, float] | None = None


class Monitor(Protocol):
    """Judges whether the policy is at home in what it sees, for example an out-of-distribution detector."""

    def judge(self, reading: Reading, command: Mapping[str, float]) -> Verdict:
        """Judge one tick: a reading that passed every check, and the policy's answer to it. Called in real time."""


def ordered(command: Mapping[str, float], names: Sequence[str]) -> list[float] | None:
    """Return a command's values in joint order; None when it is incomplete, has other joints or is not finite."""
    try:
        values = [float(command[name]) for name in names]
    except (KeyError, TypeError, ValueError):
        return None
    return values if len(command) == len(values) and all(map(isfinite, values)) else None


def joint_columns(contract: Contract, source: str) -> dict[str, tuple[str, int]]:
    """Return where the contract's signals measure `source` ("joint_pos", "joint_vel") of each actuated joint."""
    columns: dict[str, tuple[str, int]] = {}
    for signal in contract.signals:
        name, _, listed = signal.measures.replace(" ", "").rstrip(")").partition("(")
        joints = tuple(listed.split(",")) if listed else contract.joint_names
        if name == source and len(joints) == signal.size:
            columns |= {joint: (signal.name, at) for at, joint in enumerate(joints) if joint in contract.joint_names}
    return columns


def tilt_signal(contract: Contract) -> str | None:
    """Return the signal that says how the base leans, if there is one."""
    for source, size in (("projected_gravity", 3), ("base_quat_xyzw", 4)):
        for signal in contract.signals:
            if signal.measures == source and signal.size == size:
                return signal.name
    return None
