"""A whole run on a robot that reports its reward: what came of each round of adaptation is in the run's report."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from export.bundle import Bundle
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from robots.drivers.base import Features, Reading
from robots.safety import safe_command
from tests.export.adapting_bundle import EVERY, rewarded

STEPS = 20


@pytest.fixture
def bundle(adapting: Bundle) -> Bundle:
    return adapting


class Rewarded:
    """Two joints in lockstep that pay 0.1 a period, but for period 5, which pays `spoilt`; one batch and an episode."""

    features = Features.of(rewarded(), pace="lockstep", gives_reward=True)

    def __init__(self, spoilt: float) -> None:
        self.t, self.spoilt = -1, spoilt

    def connect(self) -> Features:
        return self.features

    def read(self) -> Reading:
        self.t += 1
        at, start = self.t * self.features.control_dt, self.t % STEPS == 0
        if self.t == STEPS * (EVERY + 1):
            return Reading(self.t, at, {}, trial_end=True, session_end=True)
        reward, signals = self.spoilt if self.t == 5 else 0.1, {"joint_pos": (0.1 * np.sin(self.t), 0.0)}
        return Reading(self.t, at, signals, episode_start=start, trial_start=self.t == 0, reward=reward)

    def write(self, command: Mapping[str, float]) -> dict[str, float]:
        return dict(command)

    def stop(self) -> dict[str, float]:
        return dict(zip(rewarded().joint_names, safe_command(rewarded()), strict=True))

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("spoilt", "reason"), [(0.2, ""), (float("nan"), "missing or not finite"), (1e6, "is not within")]
)
def test_a_spoilt_batch_changes_nothing_and_the_report_says_so(bundle: Bundle, spoilt: float, reason: str) -> None:
    policy = Policy(bundle)
    report = run_loop(policy, Rewarded(spoilt))
    assert report.completed, report.stopped
    (told,) = json.loads(json.dumps(report.plain()))["adaptations"]
    assert told["episode"] == EVERY
    assert told["accepted"] is (reason == "")
    assert reason in told["reason"]
    assert bool(policy.carry["adapted"].any()) is told["accepted"]
