"""RL² learns within a trial what only its memory can tell, whatever the cell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch

from domain_rand.schema import ConfigError
from sdk.rl.distributions import distribution
from sdk.rl.ppo import PpoConfig, prepare
from sdk.rl.rollout import collect
from sdk.ship import export_run
from sdk.train import train
from tests.sdk.forgetful import Forgetful
from tests.sdk.sign_bandit import SIZES, beginner, gap_closed
from tests.sdk.tiny_runs import tiny
from tests.sdk.toy_worlds import SignBandit
from tests.sdk.untrained import untrained


@pytest.mark.parametrize("cell", ["gru", pytest.param("lstm", marks=pytest.mark.learning)])
def test_it_finds_out_within_a_trial_and_not_without_its_memory(cell: Literal["gru", "lstm"]) -> None:
    remembers, forgets = beginner("rl2", cell=cell), beginner("rl2", cell=cell)
    forgets.__class__ = Forgetful
    assert gap_closed("rl2", remembers) >= 0.9
    assert gap_closed("rl2", forgets) < 0.6  # the last reward is still an input, and tells a little


def test_an_lstm_has_two_states_and_learns_from_segments_of_a_trial() -> None:
    policy = beginner("rl2", cell="lstm", memory=4)
    assert [(state.name, state.shape) for state in policy.carry_spec] == [("memory", (4,)), ("cells", (4,))]
    rollout = collect(SignBandit(3), policy, [0, 1, 2], seed=0, stream="train")
    batch = prepare(policy, rollout, "trial", PpoConfig(bptt=5))
    _, value, _ = policy.unroll(batch.rollout, batch.carry)
    torch.testing.assert_close(value, batch.value)


def test_the_gain_of_the_head_scales_the_first_actions() -> None:
    small, large = (untrained("rl2", SIZES, head_gain=gain).actor[-1].weight for gain in (0.01, 1.0))
    torch.testing.assert_close(large, 100 * small)


def test_memory_behind_a_gate_acts_step_by_step_as_over_the_whole_trial() -> None:
    policy = untrained("rl2", SIZES, method={"gate": True, "transitions": 6})
    rollout = collect(SignBandit(3), policy, [0, 1, 2], seed=0, stream="train")
    head, _, _ = policy.unroll(rollout, policy.initial_carry(3))
    torch.testing.assert_close(distribution(head, policy.log_std).log_prob(rollout.action), rollout.log_prob)


def test_a_shut_gate_lets_nothing_of_the_memory_through() -> None:
    policy = untrained("rl2", SIZES, method={"gate": True}, head_gain=1.0)
    rollout = collect(SignBandit(3), policy, [0, 1, 2], seed=0, stream="train")
    other = tuple(torch.randn_like(state) for state in policy.initial_carry(3))
    open_heads = [policy.unroll(rollout, carry)[0] for carry in (policy.initial_carry(3), other)]
    assert not torch.allclose(*open_heads)
    torch.nn.init.zeros_(policy.gate.weight)
    torch.nn.init.zeros_(policy.gate.bias)
    torch.testing.assert_close(*(policy.unroll(rollout, carry)[0] for carry in (policy.initial_carry(3), other)))


@pytest.mark.slow
def test_a_gated_memory_of_transitions_leaves_as_the_graph_it_was(tmp_path: Path) -> None:
    train(tiny("rl2", "robot=servo_arm", "method.gate=true", "method.transitions=8"), tmp_path / "run")
    manifest = export_run(tmp_path / "run", tmp_path / "bundle", worlds=2)
    assert manifest.parity.max_abs_error <= 1e-5
    assert [state.name for state in manifest.carry] == ["memory", "last_obs"]


def test_spans_are_refused_for_a_cell_without_an_update_gate() -> None:
    with pytest.raises(ConfigError, match=r"method\.spans = 9.*'lstm'"):
        untrained("rl2", SIZES, cell="lstm", method={"spans": 9})
