"""A UDP socket whose packets may be lost, late, doubled or out of order, by a seed, in either direction."""

from __future__ import annotations

import heapq
import select
import socket
from dataclasses import asdict, dataclass
from random import Random
from time import monotonic
from typing import Any

from robots.packets import MAX_PACKET
from robots.twin.faults import Faults, LineFaults

Address = tuple[str, int]


@dataclass
class LineCount:
    """What became of the packets of one direction; `reordered` arrived after one that was sent later."""

    packets: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    max_delay: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        return asdict(self)


class Direction:
    """One direction: packets go in, and come out when they are due. Times are given, so a test can choose them [s]."""

    def __init__(self, faults: LineFaults, seed: str) -> None:
        self.count = LineCount()
        self._faults, self._random = faults, Random(seed)
        self._waiting: list[tuple[float, int, float, bytes, Address]] = []
        self._newest = 0

    @property
    def due(self) -> float | None:
        """When the next packet comes out; None while nothing is on its way."""
        return self._waiting[0][0] if self._waiting else None

    def put(self, now: float, data: bytes, address: Address) -> None:
        """Send a packet on its way, or lose it. Draws the same numbers for every packet, whatever the faults."""
        count, faults = self.count, self._faults
        lost, doubled, held, *late = (self._random.random() for _ in range(5))
        count.packets += 1
        if lost < faults.loss:
            count.lost += 1
            return
        copies = 1 + (doubled < faults.duplicate)
        count.duplicated += copies - 1
        for extra in late[:copies]:
            delay = faults.latency + faults.jitter * extra + faults.hold * (held < faults.reorder)
            heapq.heappush(self._waiting, (now + delay, count.packets, now, data, address))

    def get(self, now: float) -> tuple[bytes, Address] | None:
        """Return a packet that is due, if there is one."""
        if not self._waiting or self._waiting[0][0] > now:
            return None
        due, number, sent, data, address = heapq.heappop(self._waiting)
        self.count.reordered += number < self._newest
        self._newest = max(self._newest, number)
        self.count.max_delay = max(self.count.max_delay, due - sent)
        return data, address


class Line:
    """A bound UDP socket with faults. What is late moves on only inside these methods: wait here, not elsewhere."""

    def __init__(self, bound: socket.socket, faults: Faults) -> None:
        self._socket = bound
        self._out = Direction(faults.to_policy, f"{faults.seed}/to_policy")
        self._in = Direction(faults.to_robot, f"{faults.seed}/to_robot")

    @property
    def counts(self) -> dict[str, LineCount]:
        """What became of the packets, by direction."""
        return {"to_policy": self._out.count, "to_robot": self._in.count}

    def send(self, data: bytes, receiver: Address) -> None:
        """Send a datagram; whether it arrives is the line's business."""
        self._out.put(monotonic(), data, receiver)
        self._move()

    def receive(self) -> tuple[bytes, Address] | None:
        """Return a datagram that has arrived; None if there is none."""
        self._move()
        return self._in.get(monotonic())

    def wait(self, deadline: float | None) -> bool:
        """Wait until a datagram can be received, at most until `deadline` (monotonic clock; None: for ever)."""
        while True:
            self._move()
            now, arrives = monotonic(), self._in.due
            if arrives is not None and arrives <= now:
                return True
            if deadline is not None and now >= deadline:
                return False
            times = [time for time in (deadline, arrives, self._out.due) if time is not None]
            select.select([self._socket], [], [], max(0.0, min(times) - now) if times else None)

    def rest(self, deadline: float) -> None:
        """Let time pass until `deadline`; what arrives meanwhile stays to be received."""
        while (left := deadline - monotonic()) > 0:
            self._move()
            due = self._out.due
            select.select([self._socket], [], [], left if due is None else min(left, max(0.0, due - monotonic())))

    def close(self) -> None:
        """Send what is still on its way, at once, and free the port; safe to call twice."""
        while self._socket.fileno() >= 0 and (packet := self._out.get(float("inf"))) is not None:
            self._transmit(*packet)
        self._socket.close()

    def _move(self) -> None:
        """Take in what has come, and let out what is due."""
        now = monotonic()
        while (packet := self._out.get(now)) is not None:
            self._transmit(*packet)
        while True:
            try:
                data, sender = self._socket.recvfrom(MAX_PACKET + 1)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # an earlier packet met a closed port; the client's silence will tell
            self._in.put(now, data, sender)

    def _transmit(self, data: bytes, receiver: Address) -> None:
        try:
            self._socket.sendto(data, receiver)
        except OSError:
            return  # like a lost packet: the client is gone, or its buffer full
