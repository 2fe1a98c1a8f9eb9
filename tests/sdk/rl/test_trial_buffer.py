from __future__ import annotations

import torch

from sdk.rl.rollout import Rollout
from sdk.rl.trial_buffer import TrialBuffer


def numbered(*trials: float) -> Rollout:
    """Trials of two steps whose every entry is the trial's number."""
    return Rollout(**dict.fromkeys(Rollout.__dataclass_fields__, torch.tensor(trials).expand(2, -1).clone()))


def held(buffer: TrialBuffer) -> list[float]:
    return buffer.trials(torch.arange(len(buffer))).reward[0].tolist()


def test_the_oldest_trials_leave_first() -> None:
    buffer = TrialBuffer(3)
    assert len(buffer) == 0
    for rollout in (numbered(1.0, 2.0), numbered(3.0, 4.0)):
        buffer.add(rollout)
    assert held(buffer) == [2, 3, 4]
    buffer.add(numbered(5.0, 6.0, 7.0, 8.0))
    assert held(buffer) == [6, 7, 8]


def test_what_is_held_does_not_change_with_what_was_given() -> None:
    buffer, rollout = TrialBuffer(3), numbered(1.0)
    buffer.add(rollout)
    rollout.reward += 1
    assert held(buffer) == [1]


def test_the_last_rollouts_that_it_remembers_make_it_again() -> None:
    buffer, rollouts = TrialBuffer(3), [numbered(1.0, 2.0), numbered(3.0), numbered(4.0, 5.0), numbered(6.0, 7.0, 8.0)]
    needed = []
    for count, rollout in enumerate(rollouts, start=1):
        buffer.add(rollout)
        needed.append(buffer.remembers)
        other = TrialBuffer(3)
        for one in rollouts[count - buffer.remembers : count]:
            other.add(one)
        assert held(other) == held(buffer)
    assert needed == [1, 2, 2, 1]
    assert TrialBuffer(3).remembers == 0
