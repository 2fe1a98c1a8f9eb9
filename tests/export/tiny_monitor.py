"""A detector that shows how far the first signal has moved, and a tiny bundle with it inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from export.bundle import Bundle, read_bundle
from export.manifest import CarryState, MonitorSpec
from export.monitor_graph import add_monitor
from tests.export.tiny_policy import export_tiny


class Moved(nn.Module):
    """Its statistic is |joint_pos − the one before|, per 0.1 rad; 0 where an episode starts."""

    carry_spec = (CarryState(name="before", shape=(1,)),)

    def step(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, memories: Any, carry: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        now = obs[:, :1]
        return (1 - episode_start) * (now - carry[0]).abs() / 0.1 + 0 * memories[0][:, :1], (now,)


def moved_spec(**changes: Any) -> MonitorSpec:
    settings: dict[str, Any] = {
        "signals": ("joint_pos",),
        "reads": ("memory",),
        "statistics": ("moved",),
        "smoothing": (0.02,),
        "carry": Moved.carry_spec,
        "fall_back": 1.0,
        "stop": 5.0,
        "patience": 0.06,
        "false_alarms": 0.0,
        "episodes": 300,
        "seed": 0,
    }
    return MonitorSpec(**settings | changes)


def golden_rows(steps: int = 60) -> list[dict[str, np.ndarray]]:
    """Inputs of a monitor of the servo arm with a tiny GRU."""
    rng = np.random.default_rng(0)
    shapes = {"obs": 3, "last_action": 1, "episode_start": 1, "policy_memory": 16}
    return [
        {
            name: rng.random((1, size), dtype=np.float32).round(int(name == "episode_start"))
            for name, size in shapes.items()
        }
        for _ in range(steps)
    ]


def monitored_bundle(path: Path, **changes: Any) -> Bundle:
    """Return a tiny bundle with the detector as its monitor."""
    export_tiny(path)
    add_monitor(path, Moved(), moved_spec(**changes), golden_rows())
    return read_bundle(path)
