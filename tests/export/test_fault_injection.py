"""Every fault of the table, injected into a real loop, an exported policy and a simulated robot: the output stops."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from export.bundle import Bundle
from export.manifest import CarryState
from export.runtime.guards import Verdict
from export.runtime.loop import run_loop
from export.runtime.policy import Policy
from export.runtime.report import RunReport
from export.runtime.supervisor import State, Supervisor
from export.runtime.supervisor_config import SupervisorConfig
from export.writer import export_policy
from robots.drivers.base import Reading
from robots.robot_env import RobotEnv
from robots.spec import load_robot
from tests.export.faults import AT, FAULTS, GUARDS, RAMP, Fault, FaultyRobot, Written, check_commands, markdown
from tests.export.tiny_policy import servo_arm

LENGTH = 100
"""Ticks that a run goes on for after its fault, unless it ends."""


@pytest.fixture(scope="module", autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C be heard: a shell's background job ignores it, and what is ignored stays so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def policies(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    spec, randomization = load_robot("a1")
    facts: dict[str, Any] = {"algorithm": "robust", "seeds": (0,), "provenance": {}, "min_steps": 1}
    path = tmp_path_factory.mktemp("a1") / "a1.zip"
    facts["world_factory"] = lambda: ShortWorld("a1", randomization, stream="verify")
    export_policy(Standing(), spec.contract, randomization, path, **facts)
    return {"servo_arm": Policy(bundle), "a1": Policy.load(path)}


@pytest.fixture(scope="module")
def healthy(policies: dict[str, Policy]) -> dict[str, list[Written]]:
    return {name: Session(None, policy).log for name, policy in policies.items()}


class Standing(nn.Module):
    """Holds a quadruped's default pose, but for a little of what it senses."""

    inputs: tuple[str, ...] = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(33, 12, bias=False)

    def step(self, obs: Tensor, *others: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        return 0.02 * torch.tanh(self.net(obs)), ()


class ShortWorld(RobotEnv):
    """What is proved here is not the export."""

    @property
    def horizon(self) -> int:
        return 20


class Broken:
    """A policy, and what a fault makes of its answers."""

    def __init__(self, policy: Policy, robot: FaultyRobot) -> None:
        self.contract, self._policy, self._robot = policy.contract, policy, robot
        self.start_trial, self.sent = policy.start_trial, policy.sent

    def step(self, signals: Mapping[str, Sequence[float]], **others: Any) -> dict[str, float]:
        command = self._policy.step(signals, **others)
        fault, tick = self._robot.fault, self._robot.tick
        return fault.command(tick, command) if fault and fault.command and tick >= 0 else command


class Judge:
    def __init__(self, robot: FaultyRobot) -> None:
        self._robot = robot

    def judge(self, reading: Reading, command: Mapping[str, float]) -> Verdict:
        fault, tick = self._robot.fault, self._robot.tick
        return fault.judge(tick) if fault and fault.judge and tick >= 0 else Verdict()


class Session:
    """One run with a fault, or without; `log` is what the robot was told."""

    def __init__(self, fault: Fault | None, policy: Policy) -> None:
        contract = policy.contract
        self.robot = FaultyRobot(fault, contract.robot)
        config = SupervisorConfig.of(contract, "realtime", {**RAMP, **(fault.safety if fault else {})})
        self.supervisor = self.robot.supervisor = Supervisor(contract, config, Judge(self.robot))
        self.supervisor.arm()
        self.report: RunReport | None = None
        self.raised: BaseException | None = None
        try:
            self.report = run_loop(
                Broken(policy, self.robot), self.robot, supervisor=self.supervisor, on_tick=self._stop_in_time
            )
        except (RuntimeError, OSError) as error:
            self.raised = error
        self.robot.close()
        self.log = self.robot.log

    def _stop_in_time(self, tick: object) -> None:
        if self.robot.tick >= LENGTH:
            raise KeyboardInterrupt


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_where_and_when_the_table_says(
    fault: Fault, policies: dict[str, Policy], healthy: dict[str, list[Written]]
) -> None:
    policy, well = policies[fault.robot], [written.command for written in healthy[fault.robot]]
    session = Session(fault, policy)
    told = [written.command for written in session.log]
    check_commands(session.log, policy.contract)

    assert told[: fault.at] == well[: fault.at], "before the fault nothing differs"
    assert told[fault.at :] != well[fault.at : len(told)], "the fault changed what the robot was told"
    assert told[-1] is None, "the last thing sent is the safe command"

    reached = [change for change in session.supervisor.history if change.state is fault.ends][-1]
    assert reached.tick <= fault.at + fault.within
    if fault.ends is not State.ACTIVE:
        assert re.search(GUARDS[fault.guard], reached.reason), "another guard saw it"
    ends = [change.state for change in session.supervisor.history if change.tick <= fault.at + fault.within]
    assert ends[-1] is fault.ends
    if fault.ends in (State.FAULT, State.DISABLED):
        assert len(told) <= fault.at + fault.within + 1, "nothing but the safe command follows"
    else:
        assert len(told) > fault.at + LENGTH
    assert isinstance(session.raised, fault.raises) if fault.raises else session.raised is None
    if session.report is not None:
        assert not session.report.completed
        assert session.report.states == tuple(session.supervisor.history)


def test_a_healthy_run_meets_no_guard(healthy: dict[str, list[Written]], policies: dict[str, Policy]) -> None:
    for name, log in healthy.items():
        assert len(log) > AT + LENGTH
        assert [written.command is None for written in log].count(True) == 1, name
        check_commands(log, policies[name].contract)


def test_the_page_shows_the_table_that_is_tested() -> None:
    page = (Path(__file__).parents[2] / "docs/safety.md").read_text(encoding="utf-8")
    assert markdown() in page
    assert f"```yaml\n{SupervisorConfig.of(servo_arm()[0]).to_yaml()}```" in page
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
