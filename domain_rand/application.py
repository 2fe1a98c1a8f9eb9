"""Write drawn values into a world, each from its nominal, and read them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain_rand.entries import Entry
from domain_rand.parameters import Parameter, Randomizable, combine, same
from domain_rand.schema import ConfigError

Plan = dict[tuple[str, str], tuple[str, Parameter, float]]
"""What to write: (parameter, target) to (entry, row, value)."""


def apply_values(
    entries: Mapping[str, Entry], names: Iterable[str], params: Mapping[str, float], world: Randomizable
) -> dict[str, float]:
    """Write the entries called `names` into a world; returns what was read back, by entry and target.

    Raises `ConfigError` when an entry selects nothing or what another has set, `ValueError` when a value is outside
    physics (nothing has been written then), and `RuntimeError` when the world did not take a value.
    """
    plan = _plan(entries, names, params, world)
    return {_label(name, target): _write(row, target, value, world) for (_, target), (name, row, value) in plan.items()}


def restore(entries: Mapping[str, Entry], names: Iterable[str], world: Randomizable) -> None:
    """Write nominal to everything that the entries called `names` select."""
    for name in names:
        row = entries[name].row
        for target in entries[name].targets(name, world.names(row.group)):
            _write(row, target, world.nominal(row.group, target, row.field), world)


def _plan(entries: Mapping[str, Entry], names: Iterable[str], params: Mapping[str, float], world: Randomizable) -> Plan:
    plan: Plan = {}
    for name in names:
        entry, drawn = entries[name], params[name]
        row = entry.row
        for target in entry.targets(name, world.names(row.group)):
            if (row.name, target) in plan:
                raise ConfigError(f"{name}: {row.name} of {target} is already set by {plan[row.name, target][0]}")
            value = combine(entry.op, world.nominal(row.group, target, row.field), drawn)
            row.check(value, target)
            plan[row.name, target] = name, row, value
    return plan


def _write(row: Parameter, target: str, value: float, world: Randomizable) -> float:
    world.write(row.group, target, row.field, value)
    readback = world.read(row.group, target, row.field)
    if readback != value and not same(readback, value):
        raise RuntimeError(f"{row.name} of {target}: wrote {value!r}, the world holds {readback!r}")
    return readback


def _label(name: str, target: str) -> str:
    return name if name.endswith(f"/{target}") else f"{name}/{target}"
