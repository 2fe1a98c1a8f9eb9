"""A payload falls off in mid-episode while the line loses and delays packets: who recovers, and what was commanded.

Both bundles meet the same held-out worlds in real time, each on a twin of its own, side by side. Every world carries
`HEAVY` kg until the payload drops to `LIGHT` kg, the ends of the range that training drew from. The windows before and
after hold equal parts of the task: the first half of an episode and the second half of one.

Packets are lost both ways. Readings arrive up to 20 ms late, a whole control period; on the late line commands are as
late again, so that most of them come after their period and act in the next.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robots.recordings.files import read_recording
from robots.recordings.recording import Recording
from robots.safety import safe_command
from sdk.results import Row, at_least, at_most, measured
from sdk.statistics import Estimate, gap_closed, mean_ci95
from sdk.through_twin import Driven, HeldOut, drive

WORLDS, SEED, ROBOT = 30, 0, "servo_arm"
LOSS, JITTER = 0.05, 0.02
"""Share of packets lost, and longest delay [s]."""

LINES = {"drop": 0.0, "drop_late_line": JITTER}
"""What is measured, and the longest delay of commands [s]."""

HEAVY, LIGHT = 1.2, 0.3
BEFORE, DROP, SETTLED = (1.0, 3.0), 3.5, 4.0
"""Times of the trial [s]: the window before, the drop, and from when on the window after runs, to the trial's end."""

BAR = 0.8
PHASES = ("identifying", "before", "holding", "settling", "after")


def faults(commands_late: float) -> dict[str, Any]:
    """Return what goes wrong; a switch to the payload that is there already only begins a new phase of the score."""
    times = {0.0: HEAVY, BEFORE[0]: HEAVY, BEFORE[1]: HEAVY, DROP: LIGHT, SETTLED: LIGHT}
    switches = [{"at": at, "params": {"payload_mass": mass}} for at, mass in times.items()]
    to_policy, to_robot = ({"loss": LOSS, "jitter": jitter} for jitter in (JITTER, commands_late))
    return {"seed": SEED, "to_policy": to_policy, "to_robot": to_robot, "switch": switches}


@dataclass(frozen=True)
class Dropped:
    """What came of one bundle: reward per tick `[worlds, phases]`, and how many commands left, counted.

    `missed` of `ticks` control periods got none in time; of `sent` that were recorded `outside` broke the contract.
    """

    rewards: np.ndarray
    ticks: int
    missed: int
    sent: int
    outside: int

    @property
    def recovered(self) -> Estimate:
        """Reward per tick after settling, of that before the drop: ratio of means, resampled by world."""
        before, after = (self.rewards[:, PHASES.index(phase)] for phase in ("before", "after"))
        return gap_closed(np.zeros(len(before)), after, before)

    def phase(self, name: str) -> Estimate:
        """Mean reward per tick in a phase."""
        return mean_ci95(self.rewards[:, PHASES.index(name)])


def drop_rows(bundles: Mapping[str, Path], worlds: int = WORLDS) -> list[Row]:
    """Drive all bundles over all lines at once; the first one's recovery is held against the bar on every line."""
    pairs = [(line, name) for line in LINES for name in bundles]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(pairs)) as pool:
        for line, late in LINES.items():
            (Path(folder) / f"{line}.yaml").write_text(yaml.safe_dump(faults(late)))
        running = [pool.submit(_drop, bundles[name], Path(folder), line, name, worlds) for line, name in pairs]
        found = [future.result() for future in running]
    rows = []
    for (line, name), dropped in zip(pairs, found, strict=True):
        rows += outcome_rows(f"{line}/{name}", dropped, barred=name == pairs[0][1])
    return rows


def outcome_rows(label: str, dropped: Dropped, *, barred: bool) -> list[Row]:
    """Turn what came of one bundle on one line into rows."""
    name, unit = f"{label}/recovered", "of the reward per tick before the drop"
    recovered = dropped.recovered
    missed = dropped.missed / dropped.ticks
    return [
        at_least(name, recovered, unit, BAR if barred else None),
        *(measured(f"{label}/{phase}", dropped.phase(phase), "reward per tick") for phase in PHASES[1:]),
        measured(f"{label}/missed_commands", missed, f"of {dropped.ticks} control periods"),
        at_most(f"{label}/outside_contract", dropped.outside, f"of {dropped.sent} commands", 0),
    ]


def outside_contract(recording: Recording) -> int:
    """Count ticks with a command outside the contract's limits, or further from the last one than its rate allows.

    At an episode's start the last one is the safe command; a tick after ones that were not recorded has none.
    """
    contract, names = recording.contract, recording.contract.joint_names
    sent = np.stack([recording.sent[name] for name in names], axis=1)
    low, high = np.array(contract.command_limits).T
    before = np.vstack([safe_command(contract), sent[:-1]])
    before[recording.episode_start | recording.trial_start] = safe_command(contract)
    change = np.abs(sent - before)
    change[np.diff(recording.dropped_before, prepend=0) > 0] = 0.0
    slack = 1e-9 * np.maximum(np.abs(low), np.abs(high))
    inside = (sent >= low - slack) & (sent <= high + slack) & (change <= np.array(contract.max_command_change) + slack)
    return int((~inside.all(1)).sum())


def rewards_per_tick(driven: Driven) -> np.ndarray:
    """Return the mean reward of a tick by world and phase."""
    sums, ticks = (np.array([world[key] for world in driven.worlds]) for key in ("per_phase", "phase_ticks"))
    return sums / ticks


def _drop(bundle: Path, folder: Path, line: str, name: str, worlds: int) -> Dropped:
    recorded = folder / f"{line}_{name}.npz"
    driven = drive(bundle, HeldOut(ROBOT, worlds, SEED, faults=folder / f"{line}.yaml"), recorded)
    recording, ticks = read_recording(recorded), sum(world["ticks"] for world in driven.worlds)
    return Dropped(rewards_per_tick(driven), ticks, driven.missed, len(recording), outside_contract(recording))
