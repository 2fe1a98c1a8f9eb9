"""A driver reaches a robot: readings come in, commands go out, by name. One file beside this one = one way to do it.

Each driver file defines `open_url(url, contract)`; its file name is the URL scheme. Needs no simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from domain_rand.schema import ConfigError, nearest
from robots.contract import Contract
from robots.packets import EPISODE_START, ODD_EPISODE, SESSION_END, TRIAL_START, Kind
from robots.safety import UnsafeCommand, safe_command


class DriverError(RuntimeError):
    """The robot cannot be driven; the message says why and what to do."""


class DriverTimeout(DriverError):
    """The robot did not answer in time."""


class ContractMismatch(DriverError):
    """Policy and robot were made for different contracts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One set of sensor values, by signal name, in the contract's units; `time` is the robot's clock [s].

    A reading with `trial_end` carries no signals; `session_end` says that no further trial follows. `reward` is that
    of the control period that has just ended, 0 at the start of a trial; None unless the driver declares that it gives
    one.
    """

    sequence: int
    time: float
    signals: Mapping[str, Sequence[float]]
    episode_start: bool = False
    trial_start: bool = False
    trial_end: bool = False
    session_end: bool = False
    reward: float | None = None


@dataclass(frozen=True)
class Features:
    """What a robot offers, known before the first reading; `control_dt` in s, `safe` in the contract's unit.

    `pace` says who keeps time: "realtime", the robot's clock does; "lockstep", it waits for each command.
    """

    robot: str
    contract_fingerprint: str
    joint_names: tuple[str, ...]
    signal_sizes: Mapping[str, int]
    control_dt: float
    safe: tuple[float, ...]
    pace: str = "realtime"
    gives_reward: bool = False

    @classmethod
    def of(cls, contract: Contract, pace: str = "realtime", gives_reward: bool | None = None) -> Features:
        """Read a contract's features; a reward is given where it asks for one, unless said otherwise."""
        sizes = {signal.name: signal.size for signal in contract.signals}
        safe = tuple(safe_command(contract))
        names, fingerprint = contract.joint_names, contract.fingerprint
        gives = contract.needs_reward if gives_reward is None else gives_reward
        return cls(contract.robot, fingerprint, names, sizes, contract.control_dt, safe, pace, gives)

    @property
    def sense_size(self) -> int:
        """How many values a SENSE has: those of all signals, and the reward behind them if there is one."""
        return sum(self.signal_sizes.values()) + self.gives_reward

    @property
    def safe_command(self) -> dict[str, float]:
        """The command that asks nothing of the motors, by joint."""
        return dict(zip(self.joint_names, self.safe, strict=True))


class Driver(Protocol):
    """What the runtime asks of a way to reach a robot."""

    @property
    def features(self) -> Features | None:
        """What the robot offers; None only before connecting, where the driver cannot know it yet."""

    def connect(self) -> Features:
        """Reach the robot; calling it again changes nothing. Raises `DriverError` naming what to do."""

    def read(self) -> Reading:
        """Return the newest reading not yet returned; raises `DriverTimeout` when none comes."""

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        """Answer the last reading with a command per joint; returns what was sent: it may have been limited.

        Raises `DriverError` for a missing or unknown joint, `UnsafeCommand` for a value that is not finite.
        """

    def stop(self) -> dict[str, float]:
        """Answer with the safe command, whatever state the line is in; never raises. Returns what was sent."""

    def close(self) -> None:
        """Let go of the robot; safe to call twice."""


def open_driver(url: str, contract: Contract | None = None) -> Driver:
    """Make the driver of a URL such as `udp://127.0.0.1:9000` or `sim://servo_arm`, without connecting.

    With a contract, connecting to a robot of another contract raises `ContractMismatch`. Raises `ConfigError` for an
    unknown scheme or a malformed URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in schemes():
        named = f"unknown driver '{parts.scheme}'" if parts.scheme else f"'{url}' names no driver (as in udp://…)"
        raise ConfigError(f"{named}; {nearest(parts.scheme, schemes())}")
    return import_module(f"robots.drivers.{parts.scheme}").open_url(parts, contract)


def schemes() -> list[str]:
    """URL schemes of all drivers: the files of this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in ("__init__", "base"))


def address(url: SplitResult) -> tuple[str, int]:
    """Return host and port of a URL; raises `ConfigError` when either is missing."""
    try:
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ConfigError(f"{url.geturl()}: {error}") from None
    if not host or not port:
        raise ConfigError(f"{url.geturl()}: expected {url.scheme}://HOST:PORT")
    return host, port


def check_contract(features: Features, contract: Contract | None) -> None:
    """Raise `ContractMismatch`, naming both sides, unless the robot follows `contract` (None: anything goes)."""
    if contract is not None and contract.fingerprint != features.contract_fingerprint:
        raise ContractMismatch(mismatch(contract.robot, contract.fingerprint, features))


def mismatch(robot: str, fingerprint: str, features: Features) -> str:
    """Say that a policy made for one contract meets a robot with another."""
    return (
        f"contracts differ: the policy is made for {robot} ({fingerprint[:12]}), the robot is {features.robot} "
        f"({features.contract_fingerprint[:12]}); export the policy again with this robot's contract"
    )


def in_order(command: Mapping[str, float], joint_names: Sequence[str]) -> list[float]:
    """Return the values in joint order; raises `DriverError` naming a missing or unknown joint."""
    if len(command) != len(joint_names) or any(name not in command for name in joint_names):
        raise DriverError(f"command for joints {', '.join(command)}; the robot has {', '.join(joint_names)}")
    return [float(command[name]) for name in joint_names]


def limited_command(command: Mapping[str, float], contract: Contract) -> list[float]:
    """Return the values in joint order, moved into the contract's limits; its rate limit is kept by who commands.

    Raises `DriverError` naming a missing or unknown joint, `UnsafeCommand` for a value that is not finite.
    """
    values = in_order(command, contract.joint_names)
    if not all(map(isfinite, values)):
        raise UnsafeCommand(f"command {dict(command)} is not finite; nothing was sent")
    return [min(max(value, low), high) for value, (low, high) in zip(values, contract.command_limits, strict=True)]


class Message(Protocol):
    """A SENSE or END of some line: a `Packet` or a `Frame`."""

    @property
    def kind(self) -> Kind: ...
    @property
    def sequence(self) -> int: ...
    @property
    def time(self) -> float: ...
    @property
    def flags(self) -> int: ...
    @property
    def values(self) -> Sequence[float]: ...


class EpisodeWatch:
    """Notices that an episode has begun whose first reading was lost."""

    def __init__(self) -> None:
        self._before = 0

    def flags(self, message: Message) -> int:
        """Return a message's flags; where another episode has begun since the reading before, it begins here."""
        if message.kind is Kind.END:
            return message.flags
        begun, self._before = (message.flags ^ self._before) & ODD_EPISODE, message.flags
        return message.flags | EPISODE_START if begun else message.flags


def newest_reading(following: Callable[[float], Message | None], deadline: float, features: Features) -> Reading | None:
    """Return the newest reading on a line, None when none comes until `deadline`; the end of a trial is never skipped.

    `following` returns the next message of `features.sense_size` values, waiting for it until a time of the monotonic
    clock. Readings that are skipped hand the start of an episode or a trial on, and the first of them its reward: that
    is what the command before them earned, in its own episode.
    """
    newest = first = following(deadline)
    if newest is None or first is None:
        return None
    flags = newest.flags
    while newest.kind is Kind.SENSE and (newer := following(0.0)) is not None:
        newest, flags = newer, flags | newer.flags
    if newest.kind is Kind.END:
        return Reading(newest.sequence, newest.time, {}, trial_end=True, session_end=bool(newest.flags & SESSION_END))
    reward = float(first.values[-1]) if features.gives_reward else None
    episode_start, trial_start = bool(flags & EPISODE_START), bool(flags & TRIAL_START)
    signals = _by_name(newest.values, features.signal_sizes)
    return Reading(newest.sequence, newest.time, signals, episode_start, trial_start, reward=reward)


def _by_name(values: Sequence[float], sizes: Mapping[str, int]) -> dict[str, Sequence[float]]:
    signals, at = {}, 0
    for name, size in sizes.items():
        signals[name] = values[at : at + size]
        at += size
    return signals


def required(contract: Contract | None, url: SplitResult) -> Contract:
    """Return the contract that a robot which cannot tell its own is driven by; raises `ConfigError` without one."""
    if contract is None:
        raise ConfigError(f"{url.geturl()}: this robot does not tell its contract; open it with a bundle's")
    return contract


def query_options(url: SplitResult, valid: Mapping[str, type]) -> dict[str, Any]:
    """Read `?key=value` options with the types of `valid`; raises `ConfigError` naming the wrong key."""
    options: dict[str, Any] = {}
    for text in filter(None, url.query.split("&")):
        key, _, value = text.partition("=")
        if key not in valid:
            raise ConfigError(f"{url.geturl()}: unknown option '{key}'; {nearest(key, tuple(valid))}")
        try:
            options[key] = valid[key](value)
        except ValueError:
            raise ConfigError(f"{url.geturl()}: {key} is '{value}', not {valid[key].__name__}") from None
    return options
