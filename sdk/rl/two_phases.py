"""First a policy that is told about its world, then what infers that from the last steps (Kumar et al. 2021).

phase one: improve π(a | obs, last action, z), z = μ(true context), by PPO, through μ
phase two: act on ẑ = φ(last steps), π and μ held fixed;  descend ‖φ(last steps) − z‖² on what was played
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sdk.config import TrainConfig
from sdk.nn.extrinsics import ExtrinsicsPolicy
from sdk.nn.history import windows_at
from sdk.rl.ppo import Ppo
from sdk.rl.rollout import Rollout
from sdk.rl.trial_model import BesidePpo, TrialModel, TrialModelSettings


class TwoPhaseSettings(TrialModelSettings):
    """Settings that every algorithm of two phases has, under `method`."""

    phase_two: float = Field(default=0.25, gt=0, lt=1, description="share of the steps in which inference is learned")
    window: int = Field(default=50, ge=1, description="control steps that are inferred from")
    every: int = Field(default=5, ge=1, description="control steps between two inferences; z is held in between")
    filters: int = Field(default=32, ge=1, description="features of each convolution over the window")
    adapt: bool = Field(default=True, description="whether z is inferred; without, the usual one is acted on")
    updates: int = Field(default=50, ge=1, description="descents of the inference per iteration")
    buffer_trials: int = Field(default=256, ge=1, description="trials to draw them from: the last ones")
    windows: int = Field(default=512, ge=1, description="windows of a descent, all of its trials together")


class TwoPhases(BesidePpo):
    """PPO until `1 − phase_two` of the steps are over, then regression; a policy that adapts already goes on so."""

    def __init__(self, policy: ExtrinsicsPolicy, config: TrainConfig, settings: TwoPhaseSettings) -> None:
        self.policy, self.settings = policy, settings
        self.ppo = Ppo(policy, config.ppo, "episode", config.seed)
        self.model = TrialModel(config.algo, policy.history.parameters(), self.loss, settings, config)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the policy or, in phase two, what infers; from the first rollout of phase two on."""
        first = 1 - self.settings.phase_two
        usual = self.policy.usual
        if progress < first and not self.policy.adapting:
            statistics = self.ppo.update(rollout, iteration, progress / first)
            usual.count.zero_()  # the encoder has changed: what was usual before is not now
            usual.update(self.told(rollout))
            return statistics
        self.policy.adapting.fill_(1.0)
        usual.update(self.told(rollout))
        if not self.settings.adapt:
            return {}
        return self.model.learn(rollout, iteration, max(0.0, progress - first) / self.settings.phase_two)

    @torch.no_grad()
    def told(self, trials: Rollout) -> Tensor:
        """Return the true z of each trial, `[N, latent]`; a constant."""
        z: Tensor = self.policy.privileged(trials.context[0])
        return z

    def loss(self, trials: Rollout, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the mean squared error of ẑ (Kumar 2021, section 3.2) at random steps of whole trials."""
        steps, count = trials.reward.shape
        draws = ((0, steps), (0, count))
        time, trial = (torch.from_numpy(rng.integers(*of, self.settings.windows)) for of in draws)
        target = self.told(trials)[trial]
        guess = self.policy.history(windows_at(self.policy.rows(trials), time, trial, self.settings.window))
        error = (guess - target).square().mean()
        spread = (target - self.policy.usual.mean).square().mean()
        missed = float(error.detach())
        return error, {"latent_error": missed**0.5, "unexplained": missed / max(float(spread), 1e-12)}
