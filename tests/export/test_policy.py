"""The policy on the robot: same loop as in simulation, refusals that change nothing, and no training package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from export.bundle import GOLDEN, STEP_GRAPH, Bundle
from export.manifest import BundleError, CarryState, graph_inputs, graph_outputs
from export.runtime.policy import BadReading, Policy
from export.step_graph import StepGraph
from export.to_onnx import to_onnx
from export.verify import golden_bytes, read_golden
from robots.contract import Contract
from robots.robot_env import RobotEnv
from robots.safety import UnsafeCommand
from tests.export.tiny_policy import EpisodicGru, Memoryless, TinyGru, servo_arm

ROOT = Path(__file__).parents[2]
READING = {"joint_pos": [0.1], "joint_vel": [-0.5], "joint_pos_target": [0.8]}


@pytest.fixture
def policy(bundle: Bundle) -> Policy:
    return Policy(bundle)


@pytest.fixture(scope="module")
def world() -> Iterator[RobotEnv]:
    world = RobotEnv("servo_arm", stream="verify")
    yield world
    world.close()


def named(contract: Contract, obs: np.ndarray) -> dict[str, list[float]]:
    return {name: obs[place].tolist() for name, place in contract.signal_slices.items()}


def state_of(policy: Policy) -> tuple[dict[str, list[Any]], dict[str, float]]:
    return {name: value.tolist() for name, value in policy.carry.items()}, policy.last_command


@pytest.mark.parametrize("kind", [TinyGru, EpisodicGru])
def test_it_does_in_closed_loop_what_torch_does_in_training(
    bundle: Bundle, episodic: Bundle, world: RobotEnv, kind: type[TinyGru]
) -> None:
    """Free-running over a whole trial: the runtime's commands stay with the trained policy's."""
    trained = kind().eval()
    policy = Policy(bundle if kind is TinyGru else episodic)
    obs, _ = world.reset(seed=3, options={"world": 0})
    policy.start_trial()
    start = [torch.from_numpy(s.start()) for s in trained.carry_spec]
    carry, begins = tuple(start), True
    for t in range(300):
        if begins:
            carry = tuple(
                s if spec.reset == "episode" else c for s, c, spec in zip(start, carry, trained.carry_spec, strict=True)
            )
        given = [torch.from_numpy(np.array([v], dtype=np.float32)) for v in (obs, world.last_action, [0.0], [begins])]
        with torch.no_grad():
            mean, carry = trained.step(*given, carry=carry)
        command = policy.step(named(policy.contract, obs), episode_start=begins)
        obs, _, terminated, truncated, _ = world.step(mean[0].numpy())
        assert command["shoulder"] == pytest.approx(world.robot.limiter.last[0], abs=1e-3)
        policy.sent(dict(zip(policy.contract.joint_names, world.robot.limiter.last, strict=True)))
        begins = terminated or truncated
        if begins:
            obs = world.begin_episode(1 + t // 100)


def test_a_trial_replays_exactly(policy: Policy) -> None:
    def trial() -> list[dict[str, float]]:
        policy.start_trial()
        return [policy.step(READING, episode_start=t == 0) for t in range(10)]

    first = trial()
    assert trial() == first
    assert first[0] != first[-1]


def test_the_first_step_starts_an_episode_even_untold(policy: Policy) -> None:
    told = policy.step(READING, episode_start=True)
    policy.start_trial()
    assert policy.step(READING) == told


def test_memory_outlives_an_episode_unless_its_rule_says_otherwise(episodic: Bundle) -> None:
    policy = Policy(episodic)
    for _ in range(5):
        policy.step(READING)
    fresh = Policy(episodic)
    fresh.step(READING)
    policy.step(READING, episode_start=True)
    np.testing.assert_array_equal(policy.carry["memory"], fresh.carry["memory"])
    assert policy.carry["count"].ravel().tolist() == [7.0, 8.0]


def test_an_episode_start_returns_to_the_safe_command(bundle: Bundle) -> None:
    policy = Policy(bundle)
    policy.step(READING)
    policy.sent({"shoulder": 9.0})
    policy.step(READING, episode_start=True)
    after_reset = policy.carry["memory"]
    again = Policy(bundle)
    again.step(READING)
    again.sent({"shoulder": -4.0})
    again.step(READING, episode_start=True)
    np.testing.assert_array_equal(again.carry["memory"], after_reset)


def test_what_was_sent_is_what_the_policy_reads_next(bundle: Bundle) -> None:
    commands = []
    for sent in (-5.0, 5.0):
        policy = Policy(bundle)
        policy.step(READING)
        policy.sent({"shoulder": sent})
        assert policy.last_command == {"shoulder": sent}
        commands.append(policy.step(READING))
    assert commands[0] != commands[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint_pos": [float("nan")]}, r"joint_pos\[0\] is nan rad; valid is -3.5 to 3.5 rad"),
        ({"joint_vel": [float("inf")]}, r"joint_vel\[0\] is inf rad/s"),
        ({"joint_vel": [-51.0]}, r"joint_vel\[0\] is -51 rad/s; valid is -50 to 50 rad/s"),
        ({"joint_pos": [1e300]}, r"joint_pos\[0\] is 1e\+300"),
        ({"joint_pos": []}, "joint_pos is .*; expected 1 number"),
        ({"joint_pos": [0.0, 0.0]}, "expected 1 number"),
        ({"joint_pos": 0.0}, "expected 1 number"),
        ({"joint_pos": ["0.0"]}, "expected 1 number"),
        ({"joint_pos": [None]}, "expected 1 number"),
        ({"joint_pos": [[0.0]]}, "expected 1 number"),
        ({"joint_pos": [[0.0], [0.0, 1.0]]}, "expected 1 number"),
        ({"joint_pos": [True]}, "expected 1 number"),
        ({"joint_poss": [0.0]}, "unknown signal 'joint_poss'; did you mean 'joint_pos'"),
    ],
)
def test_a_bad_reading_changes_nothing(policy: Policy, change: dict[str, Any], message: str) -> None:
    policy.step(READING)
    before = state_of(policy)
    with pytest.raises(BadReading, match=message):
        policy.step(READING | change, episode_start=True)
    assert state_of(policy) == before


NUMBERS = st.floats() | st.integers() | st.booleans() | st.none() | st.text(max_size=2) | st.floats(-3, 3)
VALUES = st.lists(NUMBERS, max_size=2) | st.lists(st.floats(-4, 4), min_size=1, max_size=1) | NUMBERS
VALUES |= st.lists(st.floats(-4, 4), min_size=1, max_size=1).map(tuple)
VALUES |= st.lists(st.floats(-4, 4, width=32), max_size=2).map(lambda v: np.array(v, dtype=np.float32))


@settings(max_examples=300, deadline=None)
@given(readings=st.lists(st.fixed_dictionaries(dict.fromkeys(READING, VALUES)), min_size=1, max_size=4))
def test_whatever_is_read_a_command_is_finite_limited_and_near_the_last(
    wild: Policy, readings: list[dict[str, Any]]
) -> None:
    wild.start_trial()
    for reading in readings:
        before, memory = wild.last_command["shoulder"], wild.carry
        try:
            command = wild.step(reading)["shoulder"]
        except BadReading:
            assert (wild.last_command["shoulder"], wild.carry) == (before, memory)
            continue
        assert abs(command) <= 10.0
        assert abs(command - before) <= 6.0


def test_a_reading_is_the_same_as_list_tuple_or_array(bundle: Bundle) -> None:
    kinds = (list, tuple, np.array, lambda v: np.array(v, dtype=np.float64)[::1], lambda v: [np.float64(v[0])])
    commands = {Policy(bundle).step({n: kind(v) for n, v in READING.items()})["shoulder"] for kind in kinds}
    assert len(commands) == 1


def test_a_missing_signal_is_named(policy: Policy) -> None:
    with pytest.raises(BadReading, match="missing signal 'joint_vel'; given: joint_pos, joint_pos_target"):
        policy.step({name: value for name, value in READING.items() if name != "joint_vel"})


def test_a_value_at_the_edge_of_its_range_is_accepted_as_single_precision(policy: Policy) -> None:
    policy.step(
        READING | {"joint_pos_target": np.array([2.6], dtype=np.float32), "joint_pos": [float(np.float32(-3.5))]}
    )


def test_an_episode_start_survives_a_refused_reading(bundle: Bundle) -> None:
    policies = [Policy(bundle), Policy(bundle)]
    for policy in policies:
        policy.step(READING)
    with pytest.raises(BadReading):
        policies[0].step(READING | {"joint_pos": [float("nan")]}, episode_start=True)
    assert policies[0].step(READING) == policies[1].step(READING, episode_start=True)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ({}, "missing joint 'shoulder'"),
        ({"shoulder": 0.0, "elbow": 0.0}, "unknown joint 'elbow'"),
        ({"shoulder": float("nan")}, "not finite"),
    ],
)
def test_a_report_of_what_was_sent_is_checked(policy: Policy, command: dict[str, float], message: str) -> None:
    before = state_of(policy)
    with pytest.raises(BadReading, match=message):
        policy.sent(command)
    assert state_of(policy) == before


def fake_bundle(policy: nn.Module, contract: Contract, like: Bundle) -> Bundle:
    """A bundle of any graph, with the trace of a policy that holds still: what export would refuse."""
    graph = StepGraph(policy, contract)
    inputs = graph_inputs(graph.names, contract, policy.carry_spec)  # type: ignore[arg-type]
    outputs = graph_outputs(contract, policy.carry_spec)  # type: ignore[arg-type]
    manifest = like.manifest.model_copy(
        update={"contract": contract, "inputs": inputs, "outputs": outputs, "carry": tuple(policy.carry_spec)}  # type: ignore[arg-type]
    )
    with torch.no_grad():
        zeros = [torch.zeros(spec.shape) for spec in inputs]
        made = graph(*zeros)
    tensors = [*zip(inputs, zeros, strict=True), *zip(outputs, made, strict=True)]
    trace = {spec.name: np.repeat(value.numpy(), 50, 0) for spec, value in tensors}
    return Bundle(manifest, {STEP_GRAPH: to_onnx(graph), GOLDEN: golden_bytes(trace)})


class Failing(Memoryless):
    """Makes NaN of its action, or of its memory, when the observation is large."""

    carry_spec = (CarryState(name="x", shape=(1,)), CarryState(name="y", shape=(1,), reset="episode"))

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        poison = torch.sqrt(1.0 - obs[:, :1].abs())
        action = self.net(obs) * (poison if self.where == "action" else 1.0)
        return action, (carry[0] + 1.0 + (0.0 * poison if self.where == "memory" else 0.0), carry[1] + 1.0)


@pytest.mark.parametrize(("where", "message"), [("action", "graph commands"), ("memory", "memory 'x' is not finite")])
def test_an_output_that_is_not_finite_changes_nothing(bundle: Bundle, where: str, message: str) -> None:
    policy = Policy(fake_bundle(Failing(where), servo_arm()[0], bundle))
    policy.step(READING)
    before = state_of(policy)
    with pytest.raises(UnsafeCommand, match=message):
        policy.step(READING | {"joint_pos": [2.0]})
    assert state_of(policy) == before
    policy.step(READING)
    assert policy.carry["x"].item() == 2.0


class Wild(Memoryless):
    """Commands full torque with the sign of the first signal."""

    def step(self, obs, *others):  # type: ignore[no-untyped-def]
        return 1000.0 * obs[:, :1], ()


@pytest.fixture(scope="module")
def wild(bundle: Bundle) -> Policy:
    slow = Contract.parse(
        servo_arm()[0].plain() | {"action": {"scale": [20.0], "offset": [0.0], "rate_limit": [300.0]}}
    )
    return Policy(fake_bundle(Wild(), slow, bundle))


def test_commands_keep_to_limits_and_rate(wild: Policy) -> None:
    policy = wild
    policy.start_trial()
    # 300 N·m/s · 0.02 s = 6 N·m a period, up to the motor's 10 N·m, though the policy's range is 20.
    assert [policy.step(READING)["shoulder"] for _ in range(3)] == [6.0, 10.0, 10.0]
    policy.sent({"shoulder": 0.0})
    assert policy.step(READING)["shoulder"] == 6.0


class Rewarded(Memoryless):
    """Commands its last reward."""

    inputs = ("obs", "last_reward")

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        return 0.0 * self.net(obs) + last_reward, ()


def test_reward_is_needed_where_the_policy_reads_it(bundle: Bundle) -> None:
    contract = servo_arm()[0].model_copy(update={"needs_reward": True})
    policy = Policy(fake_bundle(Rewarded(), contract, bundle))
    assert policy.step(READING)["shoulder"] == 0.0
    assert policy.step(READING, last_reward=0.5)["shoulder"] == pytest.approx(5.0)
    for reward in (None, float("nan")):
        with pytest.raises(BadReading, match="needs the finite reward"):
            policy.step(READING, last_reward=reward)
    policy.start_trial()
    assert policy.step(READING, last_reward=0.7)["shoulder"] == 0.0


def test_a_machine_that_computes_otherwise_is_refused(bundle: Bundle) -> None:
    trace = read_golden(bundle)
    trace["action"] = trace["action"] + np.float32(0.01)
    with pytest.raises(BundleError, match="departs from golden"):
        Policy(Bundle(bundle.manifest, {**bundle.files, GOLDEN: golden_bytes(trace)}))


BLOCKED = ("torch", "pybullet", "gymnasium", "onnx", "onnxscript", "sdk")
DRIVE = """
import sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is not on the robot")

sys.meta_path.insert(0, Block())
from export.latency import measure
from export.runtime.policy import Policy
from export.bundle import read_bundle
from export.verify import check_golden

policy = Policy.load({path!r})
policy.start_trial()
for t in range(3):
    command = policy.step({reading!r}, episode_start=t == 0)
    policy.sent(command)
assert check_golden(read_bundle({path!r})).holds
measure(read_bundle({path!r}), ticks=5, period=0.001, paced_ticks=5)
print(command["shoulder"])
"""


def test_it_runs_without_any_training_package(folder: Path, policy: Policy) -> None:
    program = DRIVE.format(blocked=BLOCKED, path=str(folder), reading=READING)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for t in range(3):
        command = policy.step(READING, episode_start=t == 0)
    assert float(done.stdout) == command["shoulder"]


def test_the_block_works() -> None:
    program = DRIVE.partition("from export.latency")[0].format(blocked=BLOCKED) + "import export.step_graph"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "torch is not on the robot" in done.stderr
