"""Run a recording through a bundle again and compare what it asks for: the same readings, tick by tick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from domain_rand.schema import ConfigError
from export.manifest import PARITY_TOLERANCE
from export.runtime.policy import BadReading, Policy, UnsafeCommand
from export.runtime.recorder import bundle_fingerprint
from robots.drivers.base import Reading
from robots.recordings.recording import Recording, command_at, reading_at


@dataclass(frozen=True)
class ReplayDiff:
    """How far a bundle is from a recorded run. Errors are in units of the contract's action scale.

    `worst` names where the largest error is; `refused_now` counts ticks that were answered in the run and are refused
    now. A tick without a command of the policy's is not compared. `same_bundle` says whether this very bundle drove
    (None: the recording does not say). Ticks not recorded (`dropped`) are missing in the replayed memory, too.
    """

    ticks: int
    compared: int
    max_abs_error: float
    mean_abs_error: float
    per_joint: dict[str, float]
    worst: dict[str, Any] | None
    refused_now: int
    dropped: int
    same_bundle: bool | None
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the bundle asks for what was asked for."""
        return self.compared > 0 and self.max_abs_error <= self.tolerance and not self.refused_now

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        return asdict(self) | {"holds": self.holds}


def replay_recording(recording: Recording, policy: Policy, tolerance: float = PARITY_TOLERANCE) -> ReplayDiff:
    """Drive a policy with recorded readings, telling it what was really sent; returns how its commands differ.

    Raises `ConfigError` when policy and recording follow different contracts.
    """
    contract = policy.contract
    if contract.fingerprint != recording.contract.fingerprint:
        raise ConfigError(
            f"contracts differ: the recording is of {recording.contract.robot} ({recording.contract.fingerprint[:12]}),"
            f" the bundle for {contract.robot} ({contract.fingerprint[:12]})"
        )
    made = np.array(list(_replay(policy, recording))).reshape(-1, len(contract.joints))
    asked = np.stack([recording.requested[name] for name in contract.joint_names], -1)
    errors = np.abs(made - asked) / np.array(contract.action.scale)
    refused = np.isnan(made).any(1) & ~np.isnan(asked).any(1)
    fingerprint = bundle_fingerprint(policy.manifest)
    same = fingerprint == recording.bundle if recording.bundle else None
    return _diff(recording, errors, int(refused.sum()), same, tolerance)


def _replay(policy: Policy, recording: Recording) -> Iterator[list[float]]:
    """Yield the command of each tick in which the policy was asked, NaN where it refuses now or was not asked."""
    silence = [np.nan] * len(policy.contract.joints)
    trial_due = episode_due = True
    for row in range(len(recording)):
        reading = reading_at(recording, row)
        trial_due |= reading.trial_start
        episode_due |= reading.episode_start or reading.trial_start
        if command_at(recording.requested, row) is None:
            episode_due |= row not in recording.refused  # the policy did not drive here: it begins afresh afterwards
            yield silence
        else:
            if trial_due:
                policy.start_trial()
            yield _answer(policy, reading, episode_due) or silence
            trial_due = episode_due = False
        sent = command_at(recording.sent, row)
        if sent is not None:
            policy.sent(sent)


def _answer(policy: Policy, reading: Reading, episode_start: bool) -> list[float] | None:
    try:
        command = policy.step(reading.signals, episode_start=episode_start, last_reward=reading.reward)
    except (BadReading, UnsafeCommand):
        return None
    return [command[name] for name in policy.contract.joint_names]


def _diff(recording: Recording, errors: np.ndarray, refused: int, same: bool | None, tolerance: float) -> ReplayDiff:
    names = recording.contract.joint_names
    both = ~np.isnan(errors).any(1)
    compared = np.where(both[:, None], errors, 0.0)
    worst = None
    if both.any():
        row, joint = np.unravel_index(compared.argmax(), compared.shape)
        worst = {"row": int(row), "time": float(recording.time[row]), "joint": names[int(joint)]}
    return ReplayDiff(
        ticks=len(recording),
        compared=int(both.sum()),
        max_abs_error=float(compared.max(initial=0.0)),
        mean_abs_error=float(errors[both].mean()) if both.any() else 0.0,
        per_joint=dict(zip(names, compared.max(0, initial=0.0).tolist(), strict=True)),
        worst=worst,
        refused_now=refused,
        dropped=recording.dropped,
        same_bundle=same,
        tolerance=tolerance,
    )
