"""Play a robot over UDP: send what it senses, hold what it is told, keep the score.

A command that arrives within its control period acts for that period, as an action does in training. In real time the
periods follow an absolute schedule. A period without its command takes the newest that came meanwhile for an earlier
reading of this episode, as a drive does that latches what it hears; else it holds the previous one, and after
`watchdog` seconds of that the robot takes its safe command. In lockstep each period waits for its command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any, Literal

from pydantic import Field

from domain_rand.schema import Schema
from robots.drivers.base import Features
from robots.model import Engine
from robots.packets import EPISODE_START, ODD_EPISODE, SESSION_END, TRIAL_END, TRIAL_START, Kind, Packet
from robots.safety import UnsafeCommand
from robots.twin.faults import Faults
from robots.twin.line import LineCount
from robots.twin.link import RobotLink
from robots.twin.scored import ScoredTrials, WorldScore

RESEND = 0.25
"""Lockstep repeats an unanswered reading after this time [s]: on UDP it may be lost."""


class TwinSettings(Schema):
    """What is simulated, for whom, and who keeps time; times in s."""

    robot: str = "servo_arm"
    task: str | None = Field(default=None, description="which of the robot's tasks; none: its default")
    engine: Engine | None = Field(default=None, description="what simulates the robot; none: what its model names")
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="UDP port to listen on; 0: any free one")
    worlds: int = Field(default=1, ge=1, description="how many worlds are played, one trial each")
    first_world: int = Field(default=0, ge=0, description="index of the first world")
    seed: int = 0
    stream: str = Field(default="held_out", description="which family of worlds; training draws from 'train'")
    effect: str = Field(default="cable+cogging", description="unmodelled effects, joined by '+'")
    pace: Literal["realtime", "lockstep"] = "realtime"
    watchdog: float = Field(default=0.2, gt=0, description="time without commands after which the safe one is taken")
    client_timeout: float = Field(default=10.0, gt=0, description="time to wait for a client that has gone silent")
    faults: Faults = Field(default=Faults(), description="what goes wrong with line, sensors and machine")


@dataclass
class TwinScore:
    """What happened, as the robot saw it: one entry per world, and how well it was driven.

    `missed_commands` counts periods without their command, `late_commands` those that came after all, `safe_ticks`
    periods under the safe command by watchdog or STOP, `refused_commands` those not finite or of the wrong size,
    `clamped_commands` those moved into limit and rate, `duplicate_packets` answers that came twice, `overruns` periods
    whose end this machine was too busy to meet. `line` counts what the faults did to packets, by direction.
    """

    settings: TwinSettings
    worlds: list[WorldScore] = field(default_factory=list)
    ticks: int = 0
    missed_commands: int = 0
    late_commands: int = 0
    duplicate_packets: int = 0
    refused_commands: int = 0
    clamped_commands: int = 0
    safe_ticks: int = 0
    overruns: int = 0
    bad_packets: int = 0
    clients: int = 0
    line: dict[str, LineCount] = field(default_factory=dict)
    stopped: str = "all worlds played"

    @property
    def mean_return(self) -> float:
        """Mean return of a trial, given-up ones included; 0 without any."""
        return sum(world.total for world in self.worlds) / max(1, len(self.worlds))

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        worlds = [world.plain() for world in self.worlds]
        line = {direction: count.plain() for direction, count in self.line.items()}
        data |= {"settings": self.settings.plain(), "worlds": worlds, "line": line}
        return data | {"mean_return": self.mean_return}


class Twin:
    """A simulated robot listening on `port`; raises `ConfigError` when the port is in use or a name is unknown."""

    def __init__(self, settings: TwinSettings) -> None:
        self.settings = settings
        worlds = range(settings.first_world, settings.first_world + settings.worlds)
        where = (settings.robot, worlds, settings.seed, settings.stream, settings.effect, settings.task)
        self._trials = ScoredTrials(*where, settings.faults, settings.engine)
        self._dt = self._trials.contract.control_dt
        try:
            self._features = Features.of(self._trials.contract, settings.pace)
            self._link = RobotLink(settings.host, settings.port, self._features, settings.faults)
        except BaseException:
            self._trials.close()
            raise
        self.port = self._link.port
        self._score = TwinScore(settings)
        self._reasons: list[str] = []
        self._sequence = self._episode = 0

    def run(self) -> TwinScore:
        """Wait for a client, play every world and return the score.

        Each trial waits for a client: for the first one as long as it takes, for another `client_timeout`. Ctrl-C ends
        the session and keeps the score.
        """
        try:
            self._play_all()
        except KeyboardInterrupt:
            self._trials.abort()
            self._note("interrupted")
        self._score.worlds = self._trials.scores
        for count in ("clients", "late_commands", "duplicate_packets", "bad_packets", "line"):
            setattr(self._score, count, getattr(self._link, count))
        return self._score

    def close(self) -> None:
        """Free the port and the simulator; safe to call twice."""
        self._link.close()
        self._trials.close()

    def _play_all(self) -> None:
        play = self._play_realtime if self.settings.pace == "realtime" else self._play_lockstep
        while self._trials.left and self._client_is_here():
            self._trials.begin()
            self._silent = 0
            play()
            self._send_end()

    def _client_is_here(self) -> bool:
        timeout = self.settings.client_timeout if self._link.clients else None
        here = self._link.wait_for_client(timeout)
        if not here:
            left = f"{self._trials.left} world{'s' if self._trials.left > 1 else ''} left"
            self._note(f"no client for {timeout:g} s, {left}")
        return here

    def _note(self, reason: str) -> None:
        self._reasons.append(reason)
        self._score.stopped = "; ".join(self._reasons)

    def _send_end(self) -> None:
        """Tell the client that the trial is over; one that does not hear it is gone."""
        self._sequence += 1
        flags = TRIAL_END | (0 if self._trials.left else SESSION_END)
        if self._wait_for_answer(Packet(Kind.END, self._sequence, self._sequence * self._dt, flags)) is None:
            self._link.client = None
        self._link.end(self._sequence)

    def _play_realtime(self) -> None:
        deadline = monotonic()
        while self._trials.running:
            deadline += self._dt
            self._score.overruns += monotonic() > deadline
            self._link.send(self._sense())
            self._act(self._answer_until(deadline))
            self._link.rest(deadline)

    def _answer_until(self, deadline: float) -> Packet | None:
        """Return the answer to this reading; a goodbye is none, and the period goes on to its deadline."""
        while (answer := self._link.answer(self._sequence, deadline)) is None and monotonic() < deadline:
            pass
        return answer

    def _play_lockstep(self) -> None:
        while self._trials.running:
            answer = self._wait_for_answer(self._sense())
            if answer is None:
                self._note(f"the client went silent in world {self._trials.world}, its trial was given up")
                self._trials.abort()
            else:
                self._act(answer)

    def _wait_for_answer(self, packet: Packet) -> Packet | None:
        """Send, again and again, until answered; None when the client has left or is silent for `client_timeout`."""
        give_up = monotonic() + self.settings.client_timeout
        while self._link.client is not None and monotonic() < give_up:
            self._link.send(packet)
            answer = self._link.answer(packet.sequence, min(monotonic() + RESEND, give_up))
            if answer is not None:
                return answer
        return None

    def _sense(self) -> Packet:
        self._sequence += 1
        if self._trials.episode_start:
            self._episode = self._sequence
        flags = TRIAL_START * self._trials.trial_start | EPISODE_START * self._trials.episode_start
        flags |= ODD_EPISODE * (self._trials.episode % 2)
        reward = [self._trials.reward] if self._features.gives_reward else []
        values = self._trials.observation.tolist() + reward
        return Packet(Kind.SENSE, self._sequence, self._sequence * self._dt, flags, values)

    def _act(self, answer: Packet | None) -> None:
        self._score.ticks += 1
        if answer is None:
            self._score.missed_commands += 1
            answer = self._link.late_answer(self._episode)
        if answer is None:
            self._hold()
        elif answer.kind is Kind.STOP:
            self._silent = 0
            self._go_safe()
        else:
            self._obey(answer.values)

    def _obey(self, command: Sequence[float]) -> None:
        try:
            sent = self._trials.step(command)
        except UnsafeCommand:
            self._score.refused_commands += 1
            self._hold()
        else:
            self._silent = 0
            self._score.clamped_commands += sent != list(command)

    def _hold(self) -> None:
        """Repeat the previous command, until the time since the last good one reaches the watchdog's."""
        self._silent += 1
        if self._silent * self._dt >= self.settings.watchdog:
            self._go_safe()
        else:
            self._trials.step(self._trials.held)

    def _go_safe(self) -> None:
        self._score.safe_ticks += 1
        self._trials.step_safely()


def serve(settings: TwinSettings, on_ready: Callable[[int], None] | None = None) -> TwinScore:
    """Run a twin from listening to its score; `on_ready` is told the port once clients may come."""
    twin = Twin(settings)
    try:
        if on_ready is not None:
            on_ready(twin.port)
        return twin.run()
    finally:
        twin.close()
