"""The robot's end of the UDP line: one policy at a time drives, everybody else is refused or not heard."""

from __future__ import annotations

import errno
import select
import socket
from time import monotonic

from domain_rand.schema import ConfigError
from robots.drivers.base import Features, mismatch
from robots.drivers.udp import welcome
from robots.packets import MAX_PACKET, PROTOCOL, Kind, Packet, PacketError, encode, parse

Address = tuple[str, int]
SILENCE = 1.0
"""A client not heard for this long [s] may be replaced by another."""


class RobotLink:
    """A bound UDP port; `client` is the policy that drives, None before one has come and after it said goodbye.

    Counts: `clients` that joined, `late_commands` that answered an earlier reading, `bad_packets` that were none, came
    from a stranger or answered the future.
    """

    def __init__(self, host: str, port: int, features: Features) -> None:
        self.client: Address | None = None
        self.clients = self.late_commands = self.bad_packets = 0
        self._features = features
        self._heard = 0.0
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]

    def wait_for_client(self, timeout: float | None) -> bool:
        """Wait until a policy drives, at most `timeout` s (None: for ever); returns whether one does."""
        deadline = None if timeout is None else monotonic() + timeout
        while self.client is None and self._wait(deadline):
            self._receive()
        return self.client is not None

    def send(self, packet: Packet) -> None:
        """Send to the client, if there is one; whether it arrives shows in the answer."""
        if self.client is not None:
            self._send(packet, self.client)

    def answer(self, sequence: int, deadline: float) -> Packet | None:
        """Return the COMMAND for this reading or a STOP for any; None at `deadline` (monotonic clock) or on goodbye."""
        while self._wait(deadline):
            packet = self._receive()
            if packet is None:
                if monotonic() > deadline:  # a flood of noise must not hold the schedule up
                    return None
                continue
            if packet.kind is Kind.BYE:
                return None
            if packet.kind is Kind.STOP or (packet.kind is Kind.COMMAND and packet.sequence == sequence):
                return packet
            self._count(packet, sequence)
        return None

    def close(self) -> None:
        """Free the port; safe to call twice."""
        self._socket.close()

    def _count(self, packet: Packet, sequence: int) -> None:
        if packet.kind is Kind.COMMAND and packet.sequence < sequence:
            self.late_commands += 1
        else:
            self.bad_packets += 1

    def _wait(self, deadline: float | None) -> bool:
        left = None if deadline is None else max(0.0, deadline - monotonic())
        return bool(select.select([self._socket], [], [], left)[0])

    def _receive(self) -> Packet | None:
        """Read one datagram that is here; returns it if it is the client's own, after any handshake is dealt with."""
        try:
            data, sender = self._socket.recvfrom(MAX_PACKET + 1)
            packet = parse(data)
        except (PacketError, ConnectionError, BlockingIOError):
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
        try:
            self._socket.sendto(encode(packet), receiver)
        except OSError:
            return  # like a lost packet: the client is gone, or its buffer full


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
