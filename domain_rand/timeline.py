"""What changes within an episode: a payload that drops, a motor that weakens, at keyed times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from domain_rand.entries import Entry
from domain_rand.keys import uniform_of


class Change(NamedTuple):
    """New values from `time` [s] of an episode on."""

    time: float
    values: dict[str, float]


def timeline(entries: Mapping[str, Entry], key: str, horizon_s: float) -> list[Change]:
    """Return the changes of `interval` entries below `horizon_s` [s], in order of time; equal times are one change."""
    merged: dict[float, dict[str, float]] = {}
    for name, entry in entries.items():
        for time, value in _changes_of(entry, name, key, horizon_s):
            merged.setdefault(time, {})[name] = value
    return [Change(time, merged[time]) for time in sorted(merged)]


def _changes_of(entry: Entry, name: str, key: str, horizon_s: float) -> Iterator[tuple[float, float]]:
    """Yield (time, value) of every change of one entry within an episode."""
    assert entry.every is not None
    low, high = entry.every
    time, count = 0.0, 0
    while True:
        count += 1
        time += low + uniform_of(f"{key}.{count}+/{name}") * (high - low)
        if time >= horizon_s:
            return
        yield time, entry.draw.quantile(uniform_of(f"{key}.{count}/{name}"))
