"""The robot's end of the UDP line: one policy at a time drives, everybody else is refused or not heard."""

from __future__ import annotations

import errno
import socket
from collections import deque
from time import monotonic

from domain_rand.schema import ConfigError
from robots.drivers.base import Features, mismatch
from robots.drivers.udp import welcome
from robots.packets import PROTOCOL, Kind, Packet, PacketError, encode, parse
from robots.twin.faults import Faults
from robots.twin.line import Address, Line, LineCount

RECENT = 256
"""So many readings back, a second answer is known for a duplicate."""

SILENCE = 1.0
"""A client not heard for this long [s] may be replaced by another."""


class RobotLink:
    """A bound UDP port; `client` is the policy that drives, None before one has come and after it said goodbye.

    Counts: `clients` that joined, `late_commands` that answered an earlier reading, `duplicate_packets` that had come
    before, `bad_packets` that were none, came from a stranger or answered the future. `line` counts what its `faults`
    did.
    """

    def __init__(self, host: str, port: int, features: Features, faults: Faults | None = None) -> None:
        self.client: Address | None = None
        self.clients = self.late_commands = self.duplicate_packets = self.bad_packets = 0
        self._features = features
        self._heard = 0.0
        self._taken: deque[int] = deque(maxlen=RECENT)
        self._ended = self._newest = 0
        self._late: Packet | None = None
        bound = _bind(host, port)
        self.port: int = bound.getsockname()[1]
        self._line = Line(bound, faults or Faults())

    @property
    def line(self) -> dict[str, LineCount]:
        """What became of the packets, by direction."""
        return self._line.counts

    def wait_for_client(self, timeout: float | None) -> bool:
        """Wait until a policy drives, at most `timeout` s (None: for ever); returns whether one does."""
        deadline = None if timeout is None else monotonic() + timeout
        while self.client is None and self._line.wait(deadline):
            self._receive()
        return self.client is not None

    def send(self, packet: Packet) -> None:
        """Send to the client, if there is one; whether it arrives shows in the answer."""
        if self.client is not None:
            self._send(packet, self.client)

    def answer(self, sequence: int, deadline: float) -> Packet | None:
        """Return the COMMAND for this reading or a STOP for any; None at `deadline` (monotonic clock) or on goodbye.

        The STOP that has acknowledged the end of a trial is not one for the next.
        """
        while self._line.wait(deadline):
            packet = self._receive()
            if packet is None:
                if monotonic() > deadline:  # a flood of noise must not hold the schedule up
                    return None
                continue
            if packet.kind is Kind.BYE:
                return None
            if packet.kind is Kind.STOP and not 0 < packet.sequence <= self._ended:
                return self._overtake(packet)
            if packet.kind is Kind.COMMAND and packet.sequence == sequence:
                self._taken.append(sequence)
                return self._overtake(packet)
            self._count(packet, sequence)
        return None

    def late_answer(self, since: int) -> Packet | None:
        """Return, once, the newest COMMAND that was too late for its own reading; None if a newer answer has acted.

        Those to readings before `since` do not count.
        """
        late, self._late = self._late, None
        return late if late is None or late.sequence >= since else None

    def end(self, sequence: int) -> None:
        """Note that this END has been acknowledged: whatever answers it, or an earlier reading, comes too late."""
        self._ended = sequence

    def rest(self, deadline: float) -> None:
        """Let time pass until `deadline` (monotonic clock)."""
        self._line.rest(deadline)

    def close(self) -> None:
        """Free the port; safe to call twice."""
        self._line.close()

    def _count(self, packet: Packet, sequence: int) -> None:
        if packet.kind is Kind.STOP or packet.sequence in self._taken:
            self.duplicate_packets += 1
        elif packet.kind is Kind.COMMAND and packet.sequence < sequence:
            self.late_commands += 1
            self._taken.append(packet.sequence)
            if packet.sequence > self._newest:
                self._newest, self._late = packet.sequence, packet
        else:
            self.bad_packets += 1

    def _overtake(self, packet: Packet) -> Packet:
        self._newest, self._late = max(self._newest, packet.sequence), None
        return packet

    def _receive(self) -> Packet | None:
        """Read one datagram that is here; returns it if it is the client's own, after any handshake is dealt with."""
        arrived = self._line.receive()
        if arrived is None:
            return None
        data, sender = arrived
        try:
            packet = parse(data)
        except PacketError:
            self.bad_packets += 1
            return None
        if packet.kind is Kind.HELLO:
            self._meet(packet, sender)
            return None
        if sender != self.client:
            self.bad_packets += 1
            return None
        self._heard = monotonic()
        if packet.kind is Kind.BYE:
            self.client = None
        return packet

    def _meet(self, hello: Packet, sender: Address) -> None:
        reason = self._objection(hello, sender)
        if reason:
            self._send(Packet(Kind.REFUSE, body={"reason": reason}), sender)
            return
        if sender != self.client:
            self.client = sender
            self.clients += 1
        self._heard = monotonic()
        self._send(Packet(Kind.WELCOME, body=welcome(self._features)), sender)

    def _objection(self, hello: Packet, sender: Address) -> str | None:
        spoken, contract = hello.body.get("protocol"), hello.body.get("contract")
        if spoken != PROTOCOL:
            return f"protocol {spoken}; this robot speaks {PROTOCOL}"
        if contract is not None and contract != self._features.contract_fingerprint:
            return mismatch(str(hello.body.get("robot")), str(contract), self._features)
        if self.client not in (None, sender) and monotonic() - self._heard < SILENCE:
            return f"{self.client[0]}:{self.client[1]} is driving this robot; stop it first" if self.client else None
        return None

    def _send(self, packet: Packet, receiver: Address) -> None:
        self._line.send(encode(packet), receiver)


def _bind(host: str, port: int) -> socket.socket:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.bind((host, port))
    except (OSError, OverflowError) as error:
        line.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise ConfigError(f"port {port} on {host} is in use; pass another port, or 0 for any free one") from None
        raise ConfigError(f"cannot listen on {host}:{port} ({error})") from None
    line.setblocking(False)
    return line
