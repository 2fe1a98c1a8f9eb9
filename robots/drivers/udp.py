"""Reach a robot over UDP, in the packets of `robots.packets`: a real one, or the twin."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import SplitResult

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import (
    DriverError,
    DriverTimeout,
    EpisodeWatch,
    Features,
    Reading,
    address,
    check_contract,
    in_order,
    limited_command,
    newest_reading,
)
from robots.packets import MAX_PACKET, PROTOCOL, Kind, Packet, PacketError, encode, parse

HELLO_PERIOD = 0.1


def open_url(url: SplitResult, contract: Contract | None) -> UdpDriver:
    """Make the driver of `udp://HOST:PORT`."""
    return UdpDriver(*address(url), contract)


class UdpDriver:
    """The policy's end of the line. Times in s.

    `old_packets` counts readings that came late, twice or out of order and were dropped; `bad_packets` counts bytes
    that were no packet, or not the robot's. A robot that repeats its reading is answered again: our answer got lost.
    """

    def __init__(
        self,
        host: str,
        port: int,
        contract: Contract | None = None,
        timeout: float = 2.0,
        connect_timeout: float = 5.0,
    ) -> None:
        self.url = f"udp://{host}:{port}"
        self.features = Features.of(contract) if contract else None
        self.old_packets = self.bad_packets = 0
        self._address = (host, port)
        self._contract = contract
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._socket: socket.socket | None = None

    def connect(self) -> Features:
        """Shake hands; raises `DriverTimeout` when nobody answers, `DriverError` when the robot refuses."""
        if self._socket is None or self.features is None:
            self._socket = self._open()
            try:
                self.features = self._shake_hands()
            except BaseException:
                self.close()
                raise
        return self.features

    def _open(self) -> socket.socket:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            line.connect(self._address)
        except OSError as error:
            line.close()
            raise ConfigError(f"{self.url}: {error}") from None
        line.setblocking(False)
        self._sequence, self._time, self._episodes = 0, 0.0, EpisodeWatch()
        self._answer: bytes | None = None
        return line

    def _shake_hands(self) -> Features:
        contract = self._contract
        who = {"robot": contract.robot, "contract": contract.fingerprint} if contract else {}
        hello = encode(Packet(Kind.HELLO, body={"protocol": PROTOCOL, **who}))
        deadline = monotonic() + self._connect_timeout
        while monotonic() < deadline:
            self._send(hello)
            reply = self._next(min(monotonic() + HELLO_PERIOD, deadline), (Kind.WELCOME, Kind.REFUSE))
            if reply is not None and reply.kind is Kind.REFUSE:
                raise DriverError(f"{self.url} refused: {reply.body.get('reason', 'no reason given')}")
            if reply is not None:
                features = read_features(reply.body)
                check_contract(features, contract)
                return features
        raise DriverTimeout(
            f"nobody answered at {self.url} for {self._connect_timeout:g} s; start the robot there (a simulated one: "
            f"simshift twin --port {self._address[1]}) or give another address"
        )

    def read(self) -> Reading:
        """Return the newest reading not yet returned, waiting for one; raises `DriverTimeout` when none comes.

        What skipped readings hand on: see `newest_reading`.
        """
        reading = newest_reading(self._next_reading, monotonic() + self._timeout, self._connected())
        if reading is None:
            raise DriverTimeout(f"robot at {self.url} did not answer for {self._timeout:g} s")
        if reading.trial_end:
            self._reply(Packet(Kind.STOP, reading.sequence))
        return reading

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Answer the last reading; returns what was sent: with a contract, inside its limits."""
        names = self._connected().joint_names
        values = limited_command(command, self._contract) if self._contract else in_order(command, names)
        self._reply(Packet(Kind.COMMAND, self._sequence, self._time, 0, values))
        return dict(zip(names, values, strict=True))

    def stop(self) -> dict[str, float]:
        """Tell the robot to take its safe command now; never raises. Returns it, by joint."""
        if self._socket is not None:
            self._reply(Packet(Kind.STOP, self._sequence))
        return self.features.safe_command if self.features else {}

    def close(self) -> None:
        """Say goodbye and close the line; safe to call twice."""
        if self._socket is not None:
            self._send(encode(Packet(Kind.BYE, self._sequence)))
            self._socket.close()
        self._socket = None

    def _next_reading(self, deadline: float) -> Packet | None:
        """Return the next reading that is newer than the last one and complete."""
        width = self._connected().sense_size
        while (packet := self._next(deadline, (Kind.SENSE, Kind.END))) is not None:
            if packet.sequence <= self._sequence:
                self.old_packets += 1
                if packet.sequence == self._sequence and self._answer is not None:
                    self._send(self._answer)
            elif packet.kind is Kind.SENSE and len(packet.values) != width:
                self.bad_packets += 1
            else:
                self._sequence, self._time, self._answer = packet.sequence, packet.time, None
                return packet._replace(flags=self._episodes.flags(packet))
        return None

    def _next(self, deadline: float, kinds: tuple[Kind, ...]) -> Packet | None:
        """Return the next packet of these kinds, or None at `deadline` (monotonic clock; past: only what is here)."""
        while True:
            packet = self._receive()
            if packet is not None and packet.kind in kinds:
                return packet
            if packet is None and not self._wait(deadline):
                return None

    def _wait(self, deadline: float) -> bool:
        assert self._socket is not None
        left = deadline - monotonic() if deadline else 0.0
        return left > 0 and bool(select.select([self._socket], [], [], left)[0])

    def _receive(self) -> Packet | None:
        """Return one packet that is already here, skipping what is none; None when the line is empty."""
        assert self._socket is not None
        while True:
            try:
                return parse(self._socket.recv(MAX_PACKET + 1))
            except PacketError:
                self.bad_packets += 1
            except ConnectionRefusedError:
                continue  # the port was closed when we last sent; whether the robot is gone is for the deadline to say
            except BlockingIOError:
                return None

    def _reply(self, packet: Packet) -> None:
        self._answer = encode(packet)
        self._send(self._answer)

    def _send(self, data: bytes) -> None:
        """Send, or not: a lost answer is what UDP is made of, and the robot's watchdog covers it."""
        assert self._socket is not None
        try:
            self._socket.send(data)
        except OSError:
            return

    def _connected(self) -> Features:
        if self._socket is None or self.features is None:
            raise DriverError(f"{self.url} is not connected; call connect() first")
        return self.features


def welcome(features: Features) -> dict[str, Any]:
    """Return the body of a WELCOME: what `read_features` reads back; `reward` only where one is given."""
    body = {
        "robot": features.robot,
        "contract": features.contract_fingerprint,
        "joints": list(features.joint_names),
        "signals": dict(features.signal_sizes),
        "control_dt": features.control_dt,
        "safe": list(features.safe),
        "pace": features.pace,
    }
    return body | {"reward": True} if features.gives_reward else body


def read_features(body: Mapping[str, Any]) -> Features:
    """Read a WELCOME; raises `DriverError` when it is incomplete."""
    try:
        features = Features(
            str(body["robot"]),
            str(body["contract"]),
            tuple(str(name) for name in body["joints"]),
            {str(name): int(size) for name, size in body["signals"].items()},
            float(body["control_dt"]),
            tuple(float(value) for value in body["safe"]),
            str(body["pace"]),
            body.get("reward", False),
        )
        if not isinstance(features.gives_reward, bool):
            raise ValueError(f"reward is {features.gives_reward!r}, not true or false")
        if len(features.safe) != len(features.joint_names):
            raise ValueError(f"{len(features.safe)} safe commands for {len(features.joint_names)} joints")
        return features
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DriverError(f"the robot's WELCOME is incomplete ({error!r}): {json.dumps(dict(body))}") from None
