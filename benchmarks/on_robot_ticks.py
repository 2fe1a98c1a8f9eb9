"""What a tick, the loop around it, a start from nothing and 500 of them a second cost, beside NumPy and torch.

Rounds take turns, so that what else the machine does meets all of them; a figure is the median over rounds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from export.bundle import Bundle
from export.certificate import ColdStart, LoopTimes, TickTimes
from export.certify import LOOP_RATE
from export.cold_start import KINDS, cold_start
from export.control_loop import TableRobot, deadlines, drive_table
from export.latency import measure, peer_ticks
from sdk.results import Row, at_most, measured

ROUNDS, TICKS, PACED_TICKS, PERIOD = 7, 1500, 100, 0.01
LOOP_TICKS = 500
"""Over before the recorder's thread first writes: back to back there is no pause in which it could."""

LOOP_SECONDS = 60.0
NUMPY_BAR, TORCH_BAR, PACED_TORCH_BAR = 1.0, 1 / 3, 1 / 2
"""Largest p50 of a tick, of that of the same network in NumPy and in torch."""

OVERHEAD_BAR = 30.0
"""Longest p50 of everything around the session call [µs]."""

MEMORY_BAR, START_BAR = 90.0, 0.6
"""Largest resident memory [MB] and longest way to the first action [s]."""


class Times(NamedTuple):
    """What one round measured of ticks, by kind: back to back, and paced."""

    times: dict[str, TickTimes]
    paced: dict[str, TickTimes]


class Round(NamedTuple):
    """One round: times by kind back to back and paced, and the p50 of the loop's turns [µs] in the same two ways."""

    times: dict[str, TickTimes]
    paced: dict[str, TickTimes]
    loop: float
    loop_paced: float


def tick_rows(bundle: Bundle, rounds: int = ROUNDS) -> list[Row]:
    """Time the graph, its peers and the whole loop; raises `NoPeer` where NumPy or torch cannot follow."""
    found = [_round(bundle) for _ in range(rounds)]
    return [*ratio_rows(found), *overhead_rows(found), interrupted_row(found)]


def ratio_rows(rounds: Sequence[Round | Times], label: str = "tick") -> list[Row]:
    """Hold the graph's clean p50 against its peers'."""
    kinds = rounds[0].times
    middle = {kind: _median(r.times[kind].clean_p50 for r in rounds) for kind in kinds}
    paced = {kind: _median(r.paced[kind].clean_p50 for r in rounds) for kind in kinds}
    over = {kind: _median(r.times["graph"].clean_p50 / r.times[kind].clean_p50 for r in rounds) for kind in kinds}
    slowly = {kind: _median(r.paced["graph"].clean_p50 / r.paced[kind].clean_p50 for r in rounds) for kind in kinds}
    rate = f"{1 / PERIOD:g} Hz"
    return [
        at_most(f"{label}/back_to_back/of_numpy", over["numpy"], "of NumPy's p50", NUMPY_BAR, **_us(middle)),
        at_most(f"{label}/back_to_back/of_torch", over["torch"], "of eager torch's p50", TORCH_BAR),
        at_most(f"{label}/paced/of_torch", slowly["torch"], f"of eager torch's p50 at {rate}", PACED_TORCH_BAR),
        measured(f"{label}/paced/of_numpy", slowly["numpy"], f"of NumPy's p50 at {rate}", **_us(paced)),
        measured(f"{label}/back_to_back/p99", _median(r.times["graph"].clean_p99 for r in rounds), "µs"),
        measured(f"{label}/paced/p99", _median(r.paced["graph"].clean_p99 for r in rounds), f"µs at {rate}"),
    ]


def overhead_rows(rounds: list[Round]) -> list[Row]:
    """Hold what the loop adds to its session call against the bar."""
    added = _median(r.loop - r.times["graph"].clean_p50 for r in rounds)
    step = _median(r.times["policy_step"].clean_p50 - r.times["graph"].clean_p50 for r in rounds)
    paced = _median(r.loop_paced - r.paced["graph"].clean_p50 for r in rounds)
    unit = "µs above the session call, p50: checks, limits, supervisor, recorder"
    return [
        at_most("overhead/back_to_back", added, unit, OVERHEAD_BAR, policy_step_alone=step),
        measured("overhead/paced", paced, f"{unit}, at {1 / PERIOD:g} Hz"),
    ]


def interrupted_row(rounds: list[Round]) -> Row:
    """Say how many of the graph's ticks the scheduler interrupted; they are in none of the other figures."""
    graphs = [times["graph"] for r in rounds for times in (r.times, r.paced)]
    hit, total = sum(t.interrupted for t in graphs), sum(t.ticks for t in graphs)
    return measured("tick/interrupted", hit, f"of {total} ticks, left out")


def start_rows(bundle: Path, rounds: int = ROUNDS) -> list[Row]:
    """Start fresh processes that act once; hold the way there and their memory against the bars."""
    starts = [{kind: cold_start(kind, bundle) for kind in KINDS} for _ in range(rounds)]
    first = {kind: _median(start[kind].first_action_s for start in starts) for kind in KINDS}
    memory = {kind: _median(_memory(start[kind]) for start in starts) for kind in KINDS}
    fastest = min(start["simshift"].first_action_s for start in starts)
    return [
        at_most("start/first_action", first["simshift"], "s", START_BAR, torch=first["torch"], fastest=fastest),
        at_most("start/memory", memory["simshift"], "MB resident", MEMORY_BAR, torch=memory["torch"]),
    ]


def loop_rows(bundle: Bundle, seconds: float = LOOP_SECONDS) -> list[Row]:
    """Run the loop at 500 Hz on one core and count what came too late."""
    return deadline_rows(deadlines(bundle, seconds, LOOP_RATE))


def deadline_rows(loop: LoopTimes) -> list[Row]:
    """Turn a paced run into rows: late commands, whose fault they were, and how long ticks took."""
    clean, own = "µs, interrupted ticks left out", loop.late - loop.late_by_scheduler
    return [
        measured("loop/late", loop.late, f"of {loop.ticks} commands", by_scheduler=loop.late_by_scheduler),
        measured("loop/late_by_itself", own, "commands, neither woken late nor interrupted"),
        measured("loop/skipped", loop.skipped, f"of {loop.periods} periods"),
        measured("loop/interrupted", loop.interrupted, f"of {loop.ticks} ticks"),
        measured("loop/p50", loop.clean_p50, clean, all=loop.p50),
        measured("loop/p99", loop.clean_p99, clean, all=loop.p99),
        measured("loop/longest", loop.clean_longest, clean, all=loop.longest),
    ]


def _round(bundle: Bundle) -> Round:
    peers, _ = peer_ticks(bundle)
    times = measure(bundle, ticks=TICKS, period=PERIOD, paced_ticks=PACED_TICKS, peers=peers)
    with tempfile.TemporaryDirectory() as folder:
        loop, _ = drive_table(bundle, Path(folder) / "loop.npz", ticks=LOOP_TICKS)
        slow, _ = drive_table(bundle, Path(folder) / "paced.npz", ticks=PACED_TICKS, period=PERIOD, control_dt=PERIOD)
    return Round(*split(times), clean_p50(loop), clean_p50(slow))


def split(times: Sequence[TickTimes]) -> Times:
    """Sort measurements into back to back and paced."""
    return Times(*({t.name: t for t in times if t.paced == wanted} for wanted in (False, True)))


def clean_p50(robot: TableRobot) -> float:
    """Return the median of the loop's turns [µs] that were not interrupted; of all, where every one was."""
    turns, hit = np.array(robot.turns_us), np.array(robot.interrupted)
    return float(np.median(turns if hit.all() else turns[~hit]))


def _median(values: Iterable[float]) -> float:
    return float(np.median([*values]))


def _us(by_kind: dict[str, float]) -> dict[str, float]:
    return {f"{kind}_us": value for kind, value in by_kind.items() if kind != "policy_step"}


def _memory(start: ColdStart) -> float:
    return float("nan") if start.memory_mb is None else start.memory_mb
