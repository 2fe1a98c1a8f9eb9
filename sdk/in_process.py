"""Play a policy that no robot can run through the twin's trials, in this process: it is told the hidden parameters.

The trials, their faults and their score are those of `sdk.through_twin`, so that what a policy earns by knowing the
world can be held against what bundles earn in the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from robots.twin.faults import Faults
from robots.twin.scored import ScoredTrials
from sdk.evaluate import HELD_OUT, Evaluation
from sdk.rl.rollout import ActingPolicy, act
from sdk.through_twin import HeldOut, scored
from sdk.train import load_policy


def play_in_process(folder: Path, where: HeldOut, report: Callable[[int], None] = lambda finished: None) -> Evaluation:
    """Play one trial in each world with a run's last checkpoint, told the parameters as they are at every step.

    `report` hears how many have been played.
    """
    torch.set_num_threads(1)
    _, policy, _ = load_policy(folder)
    faults = Faults.load(where.faults) if where.faults else None
    place = (where.robot, range(where.worlds), where.seed, HELD_OUT, where.effect, where.task)
    trials = ScoredTrials(*place, faults, where.engine)
    try:
        while trials.left:
            _play(trials, policy)  # type: ignore[arg-type]
            report(len(trials.scores))
    finally:
        trials.close()
    return scored([score.plain() for score in trials.scores])


@torch.no_grad()
def _play(trials: ScoredTrials, policy: ActingPolicy) -> None:
    """Play the next world's trial, by the policy's mean action."""
    scale, offset = np.array(trials.contract.action.scale), np.array(trials.contract.action.offset)
    trials.begin()
    carry = policy.initial_carry(1)
    still = torch.zeros(1, len(scale))
    while trials.running:
        policy.bind_context(_row(trials.context))
        last_action = (np.array(trials.held) - offset) / scale
        inputs = (
            _row(trials.observation),
            _row(last_action),
            _row([trials.reward]),
            _row([float(trials.episode_start)]),
        )
        action, _, carry = act(policy, inputs, carry, still, explore=False)
        trials.step((offset + scale * action[0].double().clamp(-1, 1).numpy()).tolist())


def _row(values: np.ndarray | list[float]) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32))[None]
