"""The last word on every command: finite, inside its limits, and not changing faster than allowed.

Plain floats, because the simulated robot runs this at every control step, exactly as the real one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from robots.contract import Contract


class UnsafeCommand(ValueError):
    """A command that is not finite; it is refused, never repaired."""


class Limiter:
    """Clamp commands to a contract's limits and rate; remembers the last command sent, at first the safe one."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._low = [low for low, _ in contract.command_limits]
        self._high = [high for _, high in contract.command_limits]
        self._change = list(contract.max_command_change)
        self.reset()

    def reset(self) -> None:
        """Forget the last command: the next one may differ from the safe command by one period's change."""
        self.last = safe_command(self._contract)

    def __call__(self, command: Sequence[float]) -> list[float]:
        """Return the command to send; raises `UnsafeCommand` on NaN, infinity or a wrong count, sending nothing."""
        if len(command) != len(self.last):
            raise UnsafeCommand(f"{len(command)} commands for {len(self.last)} joints")
        if not all_finite(command):
            raise UnsafeCommand(f"command {list(command)} is not finite")
        self.last = list(map(limited, command, self.last, self._low, self._high, self._change))
        return self.last


def all_finite(values: Sequence[float]) -> bool:
    """Whether no value is NaN or infinite; a finite sum, which is quickly had, proves it."""
    return isfinite(sum(values)) or all(map(isfinite, values))


def limited(value: float, last: float, low: float, high: float, change: float) -> float:
    """Return `value` moved into [last − change, last + change], then into [low, high]; the limits win."""
    if value > last + change:
        value = last + change
    elif value < last - change:
        value = last - change
    return low if value < low else high if value > high else value


def safe_command(contract: Contract) -> list[float]:
    """Return the command that is safe to fall back on, inside the limits.

    Zero torque, zero velocity, or the default pose in position mode.
    """
    rest = [joint.default_pos if contract.action.mode == "position" else 0.0 for joint in contract.joints]
    return [min(max(value, low), high) for value, (low, high) in zip(rest, contract.command_limits, strict=True)]
