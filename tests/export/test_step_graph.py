"""The step graph: contract units on both sides, and no input beyond the declared ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from export.manifest import CarryState
from export.step_graph import ExportError, StepGraph
from robots.contract import Contract
from tests.export.tiny_policy import HIDDEN, Memoryless, TinyGru, servo_arm


def shifted_contract() -> Contract:
    """The servo arm's contract, with commands 2 + 4·action."""
    plain = servo_arm()[0].plain()
    plain["action"] |= {"scale": [4.0], "offset": [2.0]}
    return Contract.parse(plain)


class Echo(nn.Module):
    """Returns its last action, doubled."""

    inputs = ("last_action",)
    carry_spec: tuple[CarryState, ...] = ()

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        return 2.0 * last_action, ()


@pytest.mark.parametrize(("sent", "command"), [(2.0, 2.0), (3.0, 4.0), (1.0, 0.0), (5.9, 6.0), (-1.9, -2.0)])
def test_commands_are_in_contract_units_on_both_sides(sent: float, command: float) -> None:
    # sent 3 is (3 − 2)/4 = 0.25; doubled 0.5; as a command 2 + 4·0.5 = 4. Beyond ±1 the mean is clipped: 6 and −2.
    (action,) = StepGraph(Echo(), shifted_contract())(torch.tensor([[sent]]))
    assert action.item() == pytest.approx(command)


def test_the_graph_is_the_policy_with_the_carry_passed_through() -> None:
    policy, obs = TinyGru(), torch.tensor([[0.1, 2.0, -0.5]])
    last, start, memory = torch.tensor([[0.3]]), torch.ones(1, 1), torch.full((1, HIDDEN), 0.2)
    mean, (expected_memory,) = policy.step(obs, last, torch.zeros(1, 1), start, (memory,))
    action, next_memory = StepGraph(policy, servo_arm()[0])(obs, 10 * last, start, memory)
    torch.testing.assert_close(action, 10 * mean.clamp(-1, 1))
    torch.testing.assert_close(next_memory, expected_memory)


def test_a_policy_that_reads_reward_needs_a_contract_that_delivers_it() -> None:
    policy = TinyGru()
    policy.inputs = ("obs", "last_action", "last_reward", "episode_start")
    with pytest.raises(ExportError, match="needs_reward: false"):
        StepGraph(policy, servo_arm()[0])
    delivering = servo_arm()[0].model_copy(update={"needs_reward": True})
    assert "last_reward" in [spec.name for spec in StepGraph(policy, delivering).input_specs]


@pytest.mark.parametrize("inputs", [("obs", "context"), ("last_action", "obs"), ("obs", "obs"), ()])
def test_unknown_unordered_or_absent_inputs_are_refused(inputs: tuple[str, ...]) -> None:
    policy = TinyGru()
    policy.inputs = inputs
    with pytest.raises(ExportError, match="choose from"):
        StepGraph(policy, servo_arm()[0])


def test_a_module_of_another_kind_is_refused() -> None:
    with pytest.raises(ExportError, match="Linear has no inputs, carry_spec, step"):
        StepGraph(nn.Linear(3, 1), servo_arm()[0])


def test_a_policy_with_discrete_actions_is_refused() -> None:
    policy = Memoryless()
    policy.log_std = None
    with pytest.raises(ExportError, match="Memoryless chooses among discrete actions; a robot's command is continuous"):
        StepGraph(policy, servo_arm()[0])


def test_the_policy_itself_is_left_as_it_was() -> None:
    policy = Memoryless().train()
    graph = StepGraph(policy, servo_arm()[0])
    assert policy.training
    assert not graph.policy.training
    assert all(weight.requires_grad for weight in policy.parameters())
