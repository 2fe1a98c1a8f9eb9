"""Learners that adapt by gradient, with small networks, and what they learn from in a world of two arms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sdk.algos.base import Sizes
from sdk.rl.meta_learner import MetaLearner, Trials
from sdk.rl.ppo import PpoConfig
from sdk.rl.rollout import Rollout, collect
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import learner_of, output_layer, untrained

METHOD: dict[str, Any] = {"rollouts": 1, "inner_steps": 1, "gamma": 0.9, "inner_lr": 1.0}


def learner(algo: str, **changes: Any) -> Any:
    """Return an algorithm's learner, its policy sensitive to what it reads."""
    settings = METHOD | changes
    policy = untrained(algo, Sizes(obs=2, action=1, context=1, reads_reward=True), method=settings, hidden=(6,))
    nn.init.orthogonal_(output_layer(policy).weight)
    return learner_of(algo, policy, PpoConfig(), **settings)


def rollout(policy: Any, trials: int = 8) -> Rollout:
    """Play two episodes of each trial."""
    return collect(TwoArms(trials), policy, list(range(trials)), seed=0, stream="train")


def gradient(of: MetaLearner, trials: Trials) -> Tensor:
    """Return the gradient of what the shared weights maximise, as one vector."""
    parts = torch.autograd.grad(of.objective(trials)[0], of.parameters)
    return torch.cat([part.flatten() for part in parts])
