"""Rows of the target dynamics: played in worlds that differ, or read from recordings and logs of the real robot.

A recording counts tick by tick: row t is what was read at t, what was sent then, and what was read at t + 1 of the same
episode. Both ticks must be whole, next to each other, and one control period apart.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.logs import Log, log_of
from robots.recordings.as_logs import is_recording, read_logs
from robots.recordings.files import read_recording
from robots.recordings.recording import Recording
from robots.spec import load_robot
from sdk.config import TrainConfig
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.offdynamics.alarms import reachable
from sdk.offdynamics.dynamics import elsewhere
from sdk.offdynamics.settings import RewardCorrection, TargetSettings
from sdk.offdynamics.transitions import Transitions, transitions_of
from sdk.rl.rollout import Rollout

STREAM = "target"
TIMING = 0.2
"""By how much of a control period two ticks may be nearer or farther than one."""

OUTSIDE = 0.01
"""Share of rows that may leave a signal's range, or the limits of commands, before that is told."""

SUFFIXES = (".npz", ".mcap", ".csv")


@dataclass(frozen=True)
class TargetRows:
    """New rows, and what was played where they were: a recording's rewards are not known."""

    rows: Transitions
    rollout: Rollout | None = None

    @property
    def trial_return(self) -> float | None:
        """Mean return of a trial."""
        return None if self.rollout is None else float(self.rollout.reward.sum(0).mean())


class PlayedTarget:
    """Plays some trials of the target with the policy as it is; worlds are keyed, and live for one collection."""

    knows_ends = True

    def __init__(self, config: TrainConfig, target: TargetSettings) -> None:
        self._there, self._each = elsewhere(config, target), target.share * config.trials
        make_worlds(self._there, size=1, seed=config.seed, stream=STREAM).close()

    def collect(self, policy: Any, iteration: int) -> TargetRows | None:
        """Return the rows of one iteration; none where its share does not come to another trial yet."""
        indices = list(range(self._played_by(iteration), self._played_by(iteration + 1)))
        if not indices:
            return None
        seed, size = self._there.seed, min(len(indices), self._there.side_by_side)
        with closing(make_worlds(self._there, size=size, seed=seed, stream=STREAM)) as worlds:
            rollout = collect_in_waves(worlds, policy, indices, seed, STREAM)
        return TargetRows(transitions_of(rollout), rollout)

    def _played_by(self, iteration: int) -> int:
        """Return the trials played before an iteration; the first has one, however small the share."""
        return math.ceil(round(self._each * iteration, 6))


class RecordedTarget:
    """Rows of files, all of them at once; they do not tell whether an episode ended or was broken off."""

    knows_ends = False

    def __init__(self, rows: Transitions) -> None:
        self._rows = rows

    def collect(self, policy: Any, iteration: int) -> TargetRows | None:
        """Return all rows at the first call, and none after it."""
        return TargetRows(self._rows) if iteration == 0 else None


def target_of(config: TrainConfig, correction: RewardCorrection) -> PlayedTarget | RecordedTarget:
    """Return where a run's target rows come from. Raises `ConfigError` for a target that does not fit the run."""
    if not correction.target.recordings:
        _warn_of_few(round(correction.target.share * config.steps), correction)
        return PlayedTarget(config, correction.target)
    if correction.in_batch:
        raise ConfigError("reward_correction.in_batch: recordings do not tell what their steps were paid; valid: 0")
    if config.robot is None:
        raise ConfigError(f"reward_correction.target.recordings: the toy '{config.subject}' has none; set target.toy")
    rows = rows_of_robot(correction.target.recordings, config.robot, config.task)
    _warn_of_few(rows.size, correction)
    return RecordedTarget(rows)


def rows_of_robot(paths: Sequence[str], robot: str, task: str | None) -> Transitions:
    """Return the rows of files and folders, sound and in the robot's units. Raises `ConfigError` for others."""
    contract = load_robot(robot, task)[0].contract
    rows = read_rows([Path(path) for path in paths], contract)
    check_rows(rows, contract.obs_size, len(contract.joints))
    check_ranges(rows, contract)
    return rows


def read_rows(paths: Sequence[Path], contract: Contract) -> Transitions:
    """Read the rows of files and folders, of this robot. Raises `ConfigError` naming the file and what is wrong."""
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    files = [file for file in files if file.suffix in SUFFIXES]
    if not files:
        raise ConfigError(f"{', '.join(map(str, paths))}: no {' or '.join(SUFFIXES)} in there")
    return Transitions.join([_read(file, contract) for file in files])


def rows_of_recording(recording: Recording, contract: Contract, path: Path) -> Transitions:
    """Return a recording's rows; warns of ticks without a reading or a command. Raises `ConfigError`."""
    theirs = recording.contract
    if theirs.obs_size != contract.obs_size or theirs.signal_names != contract.signal_names:
        raise ConfigError(
            f"{path}: an observation of {theirs.obs_size} numbers ({', '.join(theirs.signal_names)}), the run's has "
            f"{contract.obs_size} ({', '.join(contract.signal_names)})"
        )
    if theirs.joint_names != contract.joint_names:
        raise ConfigError(f"{path}: joints {', '.join(theirs.joint_names)}; {', '.join(contract.joint_names)} expected")
    obs = np.concatenate([recording.signals[name] for name in contract.signal_names], -1)
    command = np.stack([recording.sent[name] for name in contract.joint_names], -1)
    starts = recording.trial_start | recording.episode_start
    adjacent = np.diff(recording.sequence) == 1
    return _paired(recording.time, obs, command, starts[1:] | ~adjacent, contract, path)


def rows_of_log(log: Log, contract: Contract, path: Path) -> Transitions:
    """Return a log's rows, for a robot that observes nothing but its joints. Raises `ConfigError` for another one."""
    columns = {"joint_pos": log.joint_pos, "joint_vel": log.joint_vel}
    missing = [s.name for s in contract.signals if s.measures not in columns]
    if missing:
        raise ConfigError(f"{path}: a log has joint_pos and joint_vel; the run also observes {', '.join(missing)}")
    obs = np.concatenate([columns[s.measures] for s in contract.signals], -1)
    return _paired(log.time, obs, log.command, np.zeros(len(log.time) - 1, bool), contract, path)


def check_rows(rows: Transitions, obs: int, action: int) -> None:
    """Raise `ConfigError` for rows of the wrong width or not finite."""
    check_columns(rows._asdict(), {"obs": obs, "action": action}, "target rows")


def check_columns(columns: Mapping[str, torch.Tensor], widths: Mapping[str, int], source: str) -> None:
    """Raise `ConfigError` naming `source` for a column of another width than the run's, or not finite."""
    for name, expected in widths.items():
        if columns[name].ndim != 2 or columns[name].shape[1] != expected:
            found = columns[name].shape[1] if columns[name].ndim == 2 else f"the shape {tuple(columns[name].shape)}, no"
            raise ConfigError(f"{source}: {name} has {found} numbers, the run's has {expected}")
    for name, values in columns.items():
        bad = torch.nonzero(~torch.isfinite(values).reshape(len(values), -1).all(-1))[:, 0]
        if len(bad):
            raise ConfigError(f"{source}: {name} is not a number in {len(bad)} rows, first in row {int(bad[0])}")


def check_ranges(rows: Transitions, contract: Contract) -> None:
    """Raise `ConfigError` for a signal that leaves its range too often to be in the contract's unit; warn of commands.

    Commands beyond ±1 are those that the contract would have cut off, or of another scale or offset.
    """
    first = 0
    for signal in contract.signals:
        values, first = rows.obs[:, first : first + signal.size], first + signal.size
        outside = float(((values < signal.low) | (values > signal.high)).any(-1).float().mean())
        if outside > OUTSIDE:
            raise ConfigError(
                f"target rows: {signal.name} is outside [{signal.low:g}, {signal.high:g}] {signal.unit} in "
                f"{outside:.0%} of the rows, up to {float(values.abs().max()):.4g}: another unit?"
            )
    beyond = float((rows.action.abs() > 1 + 1e-3).any(-1).float().mean())
    if beyond > OUTSIDE:
        largest = float(rows.action.abs().max())
        warnings.warn(
            f"target rows: {beyond:.0%} have a command beyond the contract's limits, up to {largest:.3g} times them: "
            "another scale or offset? The source's policy never sends such",
            stacklevel=3,
        )


def check_enough(rows: int, clip: float) -> None:
    """Warn where so many rows cannot support a correction as large as the clip [nats]."""
    if reachable(rows) < clip:
        warnings.warn(
            f"{rows} target rows support a correction of {reachable(rows):.1f} nats at most, and "
            f"reward_correction.clip is {clip:g}: it takes {np.exp(clip):.0f} rows of the same (s, a)",
            stacklevel=3,
        )


def _warn_of_few(rows: int, correction: RewardCorrection) -> None:
    if correction.method != "par":  # whose mismatch is no log-ratio
        check_enough(rows, correction.clip)


def _read(path: Path, contract: Contract) -> Transitions:
    if path.suffix == ".mcap" or (path.suffix == ".npz" and is_recording(path)):
        return rows_of_recording(read_recording(path), contract, path)
    joints = len(contract.joints)
    logs = [_csv_log(path, joints)] if path.suffix == ".csv" else read_logs(path, joints)
    return Transitions.join([rows_of_log(log, contract, path) for log in logs])


def _csv_log(path: Path, joints: int) -> Log:
    """Columns by the names that published logs have."""
    try:
        table = np.genfromtxt(path, delimiter=",", names=True, dtype=np.float64, ndmin=1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a table with a line of names ({error})") from None
    names: tuple[str, ...] = table.dtype.names or ()
    return log_of(dict(zip(names, np.array(table.tolist(), dtype=np.float64).T, strict=True)), joints, path)


def _paired(
    time: np.ndarray, obs: np.ndarray, command: np.ndarray, apart: np.ndarray, contract: Contract, path: Path
) -> Transitions:
    """Pair each tick with the next, but where `apart` `[T − 1]`; commands become normalised actions."""
    whole = np.isfinite(obs).all(-1) & np.isfinite(command).all(-1)
    if not whole.all():
        warnings.warn(f"{path}: {(~whole).sum()} of {len(whole)} ticks lack a reading or a command", stacklevel=4)
    together = whole[:-1] & np.isfinite(obs[1:]).all(-1) & ~apart
    if not together.any():
        raise ConfigError(f"{path}: no two ticks follow one another with reading and command")
    step = np.diff(time)
    typical = float(np.median(step[together]))
    if abs(typical - contract.control_dt) > TIMING * contract.control_dt:
        raise ConfigError(f"{path}: ticks are {typical:.4g} s apart, and the run's control_dt is {contract.control_dt}")
    steady = np.abs(step - contract.control_dt) <= TIMING * contract.control_dt
    if (together & ~steady).any():
        lost = (together & ~steady).sum()
        warnings.warn(
            f"{path}: {lost} of {together.sum()} pairs of ticks are not {contract.control_dt} s apart, and left out",
            stacklevel=4,
        )
    rows = np.flatnonzero(together & steady)
    action = (command[rows] - contract.action.offset) / np.array(contract.action.scale)
    columns = obs[rows], action, obs[rows + 1], np.zeros(len(rows))
    return Transitions(*(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)) for x in columns))
