"""A bundle's monitor at run time: what it reads, when it falls back, when it stops, and what it refuses to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.bundle import Bundle, read_bundle
from export.manifest import BundleError
from export.model_card import model_card
from export.monitor_files import MONITOR_GOLDEN, MONITOR_GRAPH, open_monitor_graph
from export.monitor_graph import add_monitor
from export.runtime.guards import Verdict
from export.runtime.loop import run_loop
from export.runtime.monitor import OutOfDistribution, open_monitor
from export.runtime.policy import Policy
from export.runtime.supervisor import State
from robots.drivers.base import Reading, open_driver
from tests.export.tiny_monitor import Moved, golden_rows, monitored_bundle, moved_spec


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return monitored_bundle(tmp_path_factory.mktemp("monitor") / "bundle.zip")


class Bench:
    """A policy and its monitor, fed with positions."""

    def __init__(self, bundle: Bundle) -> None:
        self.policy = Policy(bundle)
        monitor = open_monitor(self.policy)
        assert isinstance(monitor, OutOfDistribution)
        self.monitor, self.sequence = monitor, 0

    def tick(self, position: float, *, skipped: int = 0, start: bool = False) -> Verdict:
        self.sequence += 1 + skipped
        signals = {"joint_pos": [position], "joint_vel": [0.0], "joint_pos_target": [0.0]}
        command = self.policy.step(signals, episode_start=start)
        return self.monitor.judge(Reading(self.sequence, self.sequence * 0.02, signals), command)


def test_small_motion_is_ok_and_a_leap_falls_back(watched: Bundle) -> None:
    bench = Bench(watched)
    assert [bench.tick(p).action for p in (0.0, 0.05, 0.1, 0.3, 0.35)] == ["ok", "ok", "ok", "fall_back", "ok"]


def test_falling_back_leaves_the_policy_without_memory(watched: Bundle) -> None:
    bench = Bench(watched)
    bench.tick(0.0)
    assert not np.allclose(bench.policy.carry["memory"], 0.1)
    verdict = bench.tick(0.3)
    assert "moved 3" in verdict.reason
    assert verdict.command is not None
    assert np.array_equal(bench.policy.carry["memory"], np.full((1, 16), 0.1, np.float32))


def test_far_beyond_stops_at_once(watched: Bundle) -> None:
    bench = Bench(watched)
    bench.tick(0.0)
    assert bench.tick(0.9).action == "stop"


def test_what_lasts_longer_than_its_patience_stops(watched: Bundle) -> None:
    bench = Bench(watched)
    found = [bench.tick(0.3 * (k % 2)).action for k in range(6)]
    assert found == ["ok", "fall_back", "fall_back", "fall_back", "stop", "stop"]


def test_where_a_reading_is_missing_nothing_is_compared(watched: Bundle) -> None:
    bench = Bench(watched)
    bench.tick(0.0)
    assert bench.tick(0.3, skipped=1).action == "ok"
    assert bench.tick(0.6).action == "fall_back"


def test_a_new_episode_and_a_new_trial_start_afresh(watched: Bundle) -> None:
    bench = Bench(watched)
    bench.tick(0.0)
    assert bench.tick(0.3, start=True).action == "ok"
    bench.policy.start_trial()
    assert bench.tick(0.9).action == "ok"


def with_thresholds(bundle: Bundle, **changes: float) -> Policy:
    return Policy(replace(bundle, manifest=bundle.manifest.model_copy(update={"monitor": moved_spec(**changes)})))


def test_the_loop_falls_back_and_stops_by_itself(watched: Bundle) -> None:
    policy = with_thresholds(watched, fall_back=1e-3, stop=1e6, patience=0.1)
    driver = open_driver("sim://servo_arm", policy.contract)
    try:
        report = run_loop(policy, driver, trials=1)
    finally:
        driver.close()
    states = [change.state for change in report.states]
    assert State.FALLBACK in states
    assert states[-1] is State.DISABLED
    assert not report.completed
    assert any("the policy acts without memory" in change.reason for change in report.states)
    assert "for more than 0.1 s" in report.stopped


def test_a_quiet_monitor_ends_nothing(watched: Bundle) -> None:
    policy = with_thresholds(watched, fall_back=1e6, stop=1e6)
    driver = open_driver("sim://servo_arm", policy.contract)
    try:
        report = run_loop(policy, driver, trials=1)
    finally:
        driver.close()
    assert report.completed
    assert [change.state for change in report.states][1:] == [State.ACTIVE, State.DISABLED]


def test_a_bundle_without_a_monitor_has_none(bundle: Bundle) -> None:
    assert open_monitor(Policy(bundle)) is None
    assert "monitor" not in bundle.manifest.plain()


@pytest.mark.parametrize("name", [MONITOR_GRAPH, MONITOR_GOLDEN])
def test_a_missing_part_is_named(watched: Bundle, name: str) -> None:
    files = {k: v for k, v in watched.files.items() if k != name}
    with pytest.raises(BundleError, match=f"{name} is missing"):
        open_monitor_graph(replace(watched, files=files))


def test_a_monitor_of_another_contract_is_refused(watched: Bundle) -> None:
    contract = watched.manifest.contract.model_copy(update={"control_dt": 0.04})
    manifest = watched.manifest.model_copy(update={"contract": contract})
    with pytest.raises(BundleError, match="was made for contract"):
        open_monitor_graph(replace(watched, manifest=manifest))


def test_a_memory_that_the_policy_has_not_cannot_be_read(watched: Bundle) -> None:
    with pytest.raises(BundleError, match="reads 'belief'; the policy's memory is memory"):
        add_monitor(Path(watched.source), Moved(), moved_spec(reads=("belief",)), golden_rows())


def test_adding_it_again_gives_the_same_bytes(watched: Bundle) -> None:
    add_monitor(Path(watched.source), Moved(), moved_spec(), golden_rows())
    assert read_bundle(watched.source).sealed == watched.sealed


def test_the_model_card_says_when_it_alarms(watched: Bundle) -> None:
    assert "300 held-out episodes" in model_card(watched.manifest)
