"""A recording as `.mcap`, for Foxglove and other viewers: JSON messages with a schema for each topic.

| topic            | message                                                                                      |
|------------------|----------------------------------------------------------------------------------------------|
| `/readings/NAME` | `values`: one signal, in the contract's order and unit                                       |
| `/requested`     | `joints`: what the policy asked for; none for a refused tick                                 |
| `/sent`          | `joints`: what the driver sent                                                               |
| `/events`        | `event`: trial_start, episode_start, refused or dropped; `text`: in words                    |
| `/tick`          | `trial_start`, `episode_start`, `latency_us`, `reward`, `dropped`: last message of each tick |

Every message has `time` [s] and `sequence` of its reading. The MCAP time of recording is this computer's clock, that of
publishing the robot's. A number that is not finite is null. Chunks hold a second or two, so that is what a crash can
cost: the file is readable without its end. Needs `pip install 'simshift[mcap]'`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from time import time_ns
from typing import Any

import numpy as np

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.recordings.recording import Origin, Recording, Tick, recording_of, row_of, row_width

CHUNK_SECONDS = 1.0
MESSAGE_BYTES, VALUE_BYTES = 110, 20
"""About what a message and each number in it take, as JSON: from these follows the size of a chunk."""

NUMBER: dict[str, Any] = {"type": ["number", "null"]}
STAMP = {"time": {"type": "number"}, "sequence": {"type": "integer"}}


class McapWriter:
    """Writes one recording; raises `ConfigError` when the `mcap` package is missing."""

    def __init__(self, path: Path, origin: Origin) -> None:
        try:
            from mcap.writer import CompressionType, Writer
        except ModuleNotFoundError:
            raise ConfigError(f"{path}: needs 'mcap': pip install 'simshift[mcap]', or record to .npz") from None
        self._contract = origin.contract
        self._last_dropped = 0
        self._file = path.open("wb")
        self._writer = Writer(self._file, chunk_size=_chunk_size(origin.contract), compression=CompressionType.LZ4)
        self._writer.start(profile="", library="simshift")
        contract = {"contract": json.dumps(origin.contract.plain()), "fingerprint": origin.contract.fingerprint}
        self._writer.add_metadata("simshift", {**contract, "bundle": origin.bundle})
        self._file.flush()
        self._channels = {topic: self._register(topic, schema) for topic, schema in schemas(origin.contract).items()}

    def add(self, tick: Tick, dropped: int) -> None:
        """Write a tick's messages; what a full chunk brings to the file is on disk's way at once."""
        now, reading = time_ns(), tick.reading
        for topic, body in messages(self._contract, tick, dropped, dropped - self._last_dropped):
            self._writer.add_message(
                self._channels[topic],
                log_time=now,
                publish_time=max(0, round(reading.time * 1e9)),
                sequence=reading.sequence & 0xFFFFFFFF,
                data=json.dumps({"time": reading.time, "sequence": reading.sequence, **body}).encode(),
            )
        self._last_dropped = dropped
        self._file.flush()

    def close(self, dropped: int) -> None:
        """Write the end, with the count of dropped ticks, and the index."""
        self._writer.add_metadata("simshift.end", {"dropped": str(dropped)})
        self._writer.finish()
        self._file.close()

    def _register(self, topic: str, schema: Mapping[str, Any]) -> int:
        data = json.dumps(schema).encode()
        schema_id = self._writer.register_schema(f"simshift{topic.replace('/', '.')}", "jsonschema", data)
        return self._writer.register_channel(topic, "json", schema_id)


def schemas(contract: Contract) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each topic."""
    joints = _object(dict.fromkeys(contract.joint_names, NUMBER))
    topics: dict[str, dict[str, Any]] = {
        f"/readings/{s.name}": {"values": {"type": "array", "items": NUMBER, "description": s.unit}}
        for s in contract.signals
    }
    topics |= {topic: {"joints": {**joints, "description": contract.action.unit}} for topic in ("/requested", "/sent")}
    topics["/events"] = {"event": {"type": "string"}, "text": {"type": "string"}}
    flags = {flag: {"type": "boolean"} for flag in ("trial_start", "episode_start")}
    topics["/tick"] = {**flags, "latency_us": NUMBER, "reward": NUMBER, "dropped": {"type": "integer"}}
    return {topic: _object({**STAMP, **fields}) for topic, fields in topics.items()}


def messages(contract: Contract, tick: Tick, dropped: int, just_dropped: int) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield (topic, body) of one tick, `/tick` last."""
    reading = tick.reading
    for signal in contract.signals:
        values = reading.signals.get(signal.name, ())
        if len(values) == signal.size:
            yield f"/readings/{signal.name}", {"values": list(map(_number, values))}
    if tick.requested is not None:
        yield "/requested", {"joints": _numbers(tick.requested)}
    if tick.sent:
        yield "/sent", {"joints": _numbers(tick.sent)}
    for event, text in _events(tick, just_dropped):
        yield "/events", {"event": event, "text": text}
    flags = {"trial_start": bool(reading.trial_start), "episode_start": bool(reading.episode_start)}
    reward = None if reading.reward is None else _number(reading.reward)
    yield "/tick", {**flags, "latency_us": _number(tick.latency_us), "reward": reward, "dropped": dropped}


def read_mcap(path: Path) -> Recording:
    """Read a recording, also one whose end is missing; raises `ConfigError`."""
    table = _Table()
    try:
        for record in _records(path):
            table.take(record)
        return table.recording()
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{path}: not a recording ({error})") from None


class _Table:
    """Collects messages into rows; a tick counts from its `/tick` message on."""

    def __init__(self) -> None:
        self._origin: Origin | None = None
        self._topics: dict[int, str] = {}
        self._rows: list[list[float]] = []
        self._refused: dict[int, str] = {}
        self._dropped = 0
        self._parts: dict[str, dict[str, Any]] = {}

    def take(self, record: Any) -> None:
        from mcap.records import Channel, Message, Metadata

        if isinstance(record, Metadata) and record.name == "simshift":
            self._origin = _origin(record.metadata)
        elif isinstance(record, Metadata) and record.name == "simshift.end":
            self._dropped = int(record.metadata["dropped"])
        elif isinstance(record, Channel):
            self._topics[record.id] = record.topic
        elif isinstance(record, Message):
            self._add(self._topics[record.channel_id], json.loads(record.data))

    def recording(self) -> Recording:
        if self._origin is None:
            raise ValueError("it names no contract")
        rows = np.array(self._rows).reshape(-1, row_width(self._origin.contract))
        return recording_of(self._origin, rows, self._refused, self._dropped)

    def _add(self, topic: str, body: dict[str, Any]) -> None:
        if topic == "/events":
            if body["event"] == "refused":
                self._refused[len(self._rows)] = body["text"]
            return
        self._parts[topic] = body
        if topic == "/tick":
            self._rows.append(self._row(body))
            self._parts = {}

    def _row(self, end: dict[str, Any]) -> list[float]:
        if self._origin is None:
            raise ValueError("it names no contract")
        heard = {topic: part for topic, part in self._parts.items() if topic.startswith("/readings/")}
        signals = {topic.removeprefix("/readings/"): _floats(part["values"]) for topic, part in heard.items()}
        reading = Reading(
            end["sequence"], end["time"], signals, end["episode_start"], end["trial_start"], reward=end["reward"]
        )
        requested, sent = (_joints(self._parts.get(topic)) for topic in ("/requested", "/sent"))
        return row_of(Tick(reading, requested, sent, end["latency_us"]), end["dropped"], self._origin.contract)


def _records(path: Path) -> Iterable[Any]:
    """Yield every record that can be read; a file that was cut off ends there."""
    try:
        from mcap.exceptions import EndOfFile, InvalidMagic, McapError
        from mcap.stream_reader import StreamReader
    except ModuleNotFoundError:
        raise ConfigError(f"{path}: needs 'mcap': pip install 'simshift[mcap]'") from None
    try:
        with path.open("rb") as file:
            yield from StreamReader(file, record_size_limit=path.stat().st_size).records
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except InvalidMagic as error:
        raise ValueError(str(error)) from None
    except (EndOfFile, McapError, struct.error, RuntimeError):
        return


def _chunk_size(contract: Contract) -> int:
    values = contract.obs_size + 2 * len(contract.joints)
    tick = (len(contract.signals) + 3) * MESSAGE_BYTES + values * VALUE_BYTES
    return round(CHUNK_SECONDS / contract.control_dt * tick)


def _events(tick: Tick, just_dropped: int) -> Iterable[tuple[str, str]]:
    if just_dropped:
        yield "dropped", f"{just_dropped} ticks before this one were not recorded"
    if tick.reading.trial_start:
        yield "trial_start", "a new trial"
    if tick.reading.episode_start:
        yield "episode_start", "a new episode"
    if tick.refused is not None:
        yield "refused", tick.refused


def _origin(metadata: Mapping[str, str]) -> Origin:
    contract = Contract.parse(json.loads(metadata["contract"]), "contract")
    if contract.fingerprint != metadata["fingerprint"]:
        raise ValueError("its contract does not have the fingerprint it states")
    return Origin(contract, metadata["bundle"])


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties)}


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _numbers(command: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in command.items()}


def _floats(values: Sequence[float | None]) -> list[float]:
    return [nan if value is None else value for value in values]


def _joints(message: Mapping[str, Any] | None) -> dict[str, float]:
    joints = {} if message is None else message["joints"]
    return {name: nan if value is None else value for name, value in joints.items()}
