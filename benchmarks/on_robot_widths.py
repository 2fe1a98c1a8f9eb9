"""The tick of larger policies: belief update and action with 128 and 256 numbers a layer, beside NumPy and torch.

How long a tick takes does not depend on what the weights are, so these policies are untrained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.on_robot_ticks import PACED_TICKS, PERIOD, ROUNDS, TICKS, Times, ratio_rows, split
from export.bundle import Bundle, read_bundle
from export.latency import measure, peer_ticks
from export.writer import export_policy
from robots.spec import load_robot
from sdk.config import resolve_config
from sdk.engines.local import build_policy
from sdk.results import Row
from sdk.train import world_shape

WIDTHS = (128, 256)


def width_rows(widths: Sequence[int] = WIDTHS, rounds: int = ROUNDS) -> list[Row]:
    """Hold the ticks of RL² policies of these widths against the bars; raises `NoPeer` where a peer cannot follow."""
    rows = []
    for width in widths:
        with tempfile.TemporaryDirectory() as folder:
            bundle = wide_bundle(width, Path(folder) / "bundle")
            found = [_times(bundle) for _ in range(rounds)]
        rows += ratio_rows(found, f"tick_{width}")
    return rows


def wide_bundle(width: int, path: Path) -> Bundle:
    """Export an untrained RL² policy of the servo arm, `width` numbers in each layer and in its memory."""
    config = resolve_config("rl2", None, [f"policy.hidden=[{width}, {width}]", f"policy.memory={width}"])
    assert config.robot is not None
    spec, randomization = load_robot(config.robot, config.task)
    facts: dict[str, Any] = {
        "algorithm": config.algo,
        "seeds": (config.seed,),
        "provenance": {"config": config.plain()},
    }
    export_policy(build_policy(config, world_shape(config)).eval(), spec.contract, randomization, path, **facts)
    return read_bundle(path)


def _times(bundle: Bundle) -> Times:
    peers, _ = peer_ticks(bundle)
    return split(measure(bundle, ticks=TICKS, period=PERIOD, paced_ticks=PACED_TICKS, peers=peers))
