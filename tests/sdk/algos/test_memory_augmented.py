"""Memory-augmented RL: what is found out within a trial can be kept in the slots alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.nn.slots import Slots
from sdk.rl.ppo import PpoConfig, prepare
from sdk.rl.rollout import Carry, collect
from tests.sdk.forgetful import Forgetful
from tests.sdk.sign_bandit import beginner, gap_closed
from tests.sdk.toy_worlds import SignBandit

SMALL = {"slots": 4, "width": 6}


class ForgetfulController(Slots):
    """The same with a controller that knows nothing of the steps before but what it finds in the slots."""

    def _step(self, outside: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        state, slots, usage, read = carry
        return super()._step(outside, (torch.zeros_like(state), slots, usage, torch.zeros_like(read)))


@pytest.mark.learning
def test_the_slots_alone_remember_what_a_trial_has_shown() -> None:
    remembers, forgets = (beginner("memory_augmented", SMALL, memory=16) for _ in range(2))
    remembers.memory.__class__ = ForgetfulController
    forgets.__class__ = Forgetful
    assert gap_closed("memory_augmented", remembers, iterations=40) >= 0.7
    assert gap_closed("memory_augmented", forgets, iterations=40) < 0.5


def test_it_learns_from_segments_of_a_trial() -> None:
    policy = beginner("memory_augmented", SMALL)
    rollout = collect(SignBandit(3), policy, [0, 1, 2], seed=0, stream="train")
    batch = prepare(policy, rollout, "trial", PpoConfig(bptt=5))
    _, value, _ = policy.unroll(batch.rollout, batch.carry)
    torch.testing.assert_close(value, batch.value)
    _, blank, _ = policy.unroll(batch.rollout, policy.initial_carry(batch.value.shape[1]))
    assert not torch.allclose(blank, batch.value, atol=1e-3)
