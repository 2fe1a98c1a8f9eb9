"""Another bundle takes over without a jump in the command, when it is told to."""

from __future__ import annotations

import pytest

from export.bundle import Bundle
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.switch import SwitchablePolicy
from robots.drivers.base import ContractMismatch, open_driver
from robots.recordings.recording import Tick
from tests.export.tiny_policy import TinyGru, tiny_bundle

SIGNALS = {"joint_pos": [0.4], "joint_vel": [1.0], "joint_pos_target": [0.7]}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("other") / "bundle.zip", TinyGru(seed=1))


def test_at_once_the_rate_limit_goes_on_from_what_was_sent(bundle: Bundle, other: Bundle) -> None:
    policy = SwitchablePolicy(Policy(bundle))
    policy.step(SIGNALS, episode_start=True)
    policy.sent({"shoulder": 10.0})
    policy.switch(Policy(other), "now")
    command = policy.step(SIGNALS)["shoulder"]
    assert policy.current.manifest == other.manifest
    assert abs(command - 10.0) <= policy.contract.max_command_change[0] + 1e-9
    assert policy.current.given["last_action"] == [10.0]
    assert policy.current.given["episode_start"] == 1.0


def test_by_default_it_waits_for_the_next_episode(bundle: Bundle, other: Bundle) -> None:
    policy, fresh = SwitchablePolicy(Policy(bundle)), Policy(other)
    policy.step(SIGNALS, episode_start=True)
    policy.switch(Policy(other))
    policy.step(SIGNALS)
    assert policy.current.manifest == bundle.manifest
    assert policy.step(SIGNALS, episode_start=True) == fresh.step(SIGNALS, episode_start=True)


def test_another_contract_is_refused(bundle: Bundle, other: Bundle) -> None:
    policy, stranger = SwitchablePolicy(Policy(bundle)), Policy(other)
    stranger.contract = stranger.contract.model_copy(update={"control_dt": 0.04})
    with pytest.raises(ContractMismatch, match="follows contract"):
        policy.switch(stranger)


def test_in_a_run_no_command_jumps(bundle: Bundle, other: Bundle) -> None:
    policy, sent = SwitchablePolicy(Policy(bundle)), [0.0]
    allowed = policy.contract.max_command_change[0] + 1e-6

    def watch(tick: Tick) -> None:
        sent.append(tick.sent["shoulder"])
        if len(sent) == 40:
            policy.switch(Policy(other), "now")

    driver = open_driver("sim://servo_arm", policy.contract)
    try:
        report = run_loop(policy, driver, trials=1, on_tick=watch)
    finally:
        driver.close()
    assert report.completed
    assert policy.current.manifest == other.manifest
    assert abs(sent[41] - sent[40]) <= allowed


def test_a_new_trial_switches_too(bundle: Bundle, other: Bundle) -> None:
    policy = SwitchablePolicy(Policy(bundle))
    policy.switch(Policy(other))
    policy.start_trial()
    assert policy.current.manifest == other.manifest


def test_without_a_switch_it_is_the_policy(bundle: Bundle) -> None:
    alone, wrapped = Policy(bundle), SwitchablePolicy(Policy(bundle))
    assert alone.step(SIGNALS) == wrapped.step(SIGNALS)
