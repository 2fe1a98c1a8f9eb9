"""A twin in a process of its own, and a hand-made robot on a real socket: what driver tests talk to."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from robots.contract import Contract
from robots.drivers.base import Features
from robots.drivers.udp import UdpDriver, welcome
from robots.packets import MAX_PACKET, Kind, Packet, encode, parse
from robots.twin.scored import ScoredTrials, WorldScore
from robots.twin.server import TwinScore, TwinSettings, serve

PATIENCE = 20.0


def serve_sessions(line: Connection) -> None:
    """Serve one session for each settings received, until told None: starting a process costs more than a trial."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore Ctrl-C
    while (settings := line.recv()) is not None:
        line.send(serve(settings, line.send))


class TwinProcess:
    """Runs twins one after the other in one process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self.process = context.Process(target=serve_sessions, args=(other,), daemon=True)
        self.process.start()

    def start(self, **settings: Any) -> int:
        """Begin a session; returns its port."""
        self._line.send(TwinSettings(**settings))
        return self._receive()

    def score(self) -> TwinScore:
        return self._receive()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        assert self.process.pid
        os.kill(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.join(PATIENCE)

    def _receive(self) -> Any:
        assert self._line.poll(PATIENCE), "the twin's process does not answer"
        return self._line.recv()


class HandMadeRobot:
    """A robot whose every packet is chosen by the test."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(2.0)
        self.port = self._socket.getsockname()[1]

    def welcome(self) -> Packet:
        """Answer one HELLO; returns it."""
        data, self._client = self._socket.recvfrom(MAX_PACKET)
        self.send(Packet(Kind.WELCOME, body=welcome(self._features)))
        return parse(data)

    def send(self, *packets: Packet | bytes) -> None:
        for packet in packets:
            self._socket.sendto(packet if isinstance(packet, bytes) else encode(packet), self._client)

    def receive(self) -> Packet:
        return parse(self._socket.recv(MAX_PACKET))

    def close(self) -> None:
        self._socket.close()


class LossyLine:
    """Stands between driver and twin; `treat(count, packet)` says how often each datagram is passed on."""

    def __init__(self, port: int, treat: Callable[[int, Packet], int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._twin, self._treat = ("127.0.0.1", port), treat
        self.port = self._socket.getsockname()[1]
        self._thread = Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def _pass_on(self) -> None:
        client, count = self._twin, 0
        while data := self._socket.recvfrom(MAX_PACKET):
            packet, sender = parse(data[0]), data[1]
            count += 1
            client = client if sender == self._twin else sender
            for _ in range(self._treat(count, packet)):
                self._socket.sendto(data[0], client if sender == self._twin else self._twin)
            if packet.kind is Kind.BYE:
                return

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._socket.close()


def sense(sequence: int, value: float = 0.0, flags: int = 0, reward: float | None = None) -> Packet:
    """A reading of the servo arm."""
    paid = () if reward is None else (reward,)
    return Packet(Kind.SENSE, sequence, sequence * 0.02, flags, (value, 0.0, 0.5, *paid))


@contextmanager
def hand_made(contract: Contract) -> Iterator[tuple[HandMadeRobot, UdpDriver]]:
    """A hand-made robot of a contract, and a driver that has shaken hands with it."""
    robot = HandMadeRobot(Features.of(contract))
    driver = UdpDriver("127.0.0.1", robot.port, contract, timeout=0.2)
    shake_hands(robot, driver)
    yield robot, driver
    driver.close()
    robot.close()


def shake_hands(robot: HandMadeRobot, driver: UdpDriver) -> None:
    answering = Thread(target=robot.welcome)
    answering.start()
    driver.connect()
    answering.join()


Player = Callable[[ScoredTrials, int], object]


def play_in_process(play: Player, worlds: int = 1, effect: str = "cable+cogging", seed: int = 0) -> list[WorldScore]:
    """Play held-out worlds without any line; `play` advances them by one tick, counted from 0."""
    trials = ScoredTrials("servo_arm", range(worlds), seed, "held_out", effect)
    tick = 0
    while trials.left:
        trials.begin()
        while trials.running:
            play(trials, tick)
            tick += 1
    trials.close()
    return trials.scores
