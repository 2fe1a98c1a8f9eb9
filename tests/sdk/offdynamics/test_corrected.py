"""A correction before PPO: it changes nothing where it should not, and the reward where it should."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.config import resolve_config
from sdk.offdynamics.corrected import Corrected
from sdk.offdynamics.darc import Darc
from sdk.offdynamics.settings import RewardCorrection, TargetSettings
from sdk.offdynamics.target_data import TargetRows
from sdk.offdynamics.transitions import Transitions, transitions_of
from sdk.rl.ppo import PpoConfig
from sdk.rl.rollout import Rollout, collect
from sdk.rl.sac import Sac
from sdk.train import train
from tests.sdk.tiny_runs import TINY
from tests.sdk.toy_worlds import Offset, learn, trial_return
from tests.sdk.untrained import learner_of, untrained

SIZES = Sizes(obs=1, action=1, context=1, reads_reward=False)
WORLDS, ITERATIONS = 32, 30


class Same:
    """The target is the source, other trials of it."""

    knows_ends = True

    def collect(self, policy: Any, iteration: int) -> TargetRows:
        indices = [10_000 + iteration * WORLDS + i for i in range(WORLDS)]
        rollout = collect(Offset(WORLDS), policy, indices, seed=1, stream="target")
        return TargetRows(transitions_of(rollout), rollout)


def settings(**changes: Any) -> RewardCorrection:
    defaults = {"hidden": (16,), "updates": 10, "batch": 128, "warm_up": 3}
    return RewardCorrection(target=TargetSettings(effect="none"), **{**defaults, **changes})


def learned(correction: RewardCorrection | None) -> tuple[nn.Module, float]:
    policy = untrained("robust", SIZES, hidden=(16,))
    learner = learner_of("robust", policy, PpoConfig(lr=1e-2, minibatches=2))
    if correction is not None:
        learner = Corrected(learner, Darc(1, 1, correction, seed=0), Same(), episode_steps=5)
    learn(Offset(WORLDS), learner, ITERATIONS)
    return policy, trial_return(Offset(200), policy)


def weights(policy: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in policy.parameters()])


@pytest.fixture(scope="module")
def uncorrected() -> tuple[nn.Module, float]:
    return learned(None)


def test_the_uncorrected_learner_learns(uncorrected: tuple[nn.Module, float]) -> None:
    assert uncorrected[1] > 0.5 * Offset.of_doing_nothing + 0.5 * Offset.best_without_context


@pytest.mark.parametrize("nothing", [{"warm_up": ITERATIONS}, {"weight": 0.0}], ids=["warm-up", "no weight"])
def test_a_correction_that_is_not_applied_changes_no_bit(
    nothing: dict[str, Any], uncorrected: tuple[nn.Module, float]
) -> None:
    assert torch.equal(weights(learned(settings(**nothing))[0]), weights(uncorrected[0]))


def test_equal_dynamics_leave_learning_as_good_as_it_was(uncorrected: tuple[nn.Module, float]) -> None:
    policy, value = learned(settings())
    assert not torch.equal(weights(policy), weights(uncorrected[0]))
    gap = Offset.best_without_context - Offset.of_doing_nothing
    assert value == pytest.approx(uncorrected[1], abs=0.1 * gap)


# --- one update --------------------------------------------------------------------------------------------------


class Seen:
    """A learner that keeps what it was given."""

    policy = nn.Linear(1, 1)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        self.rollout = rollout
        return {"seen": 1.0}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing."""


class Pushed:
    """The target of a rollout: whatever followed in the source, a little further."""

    knows_ends = False

    def __init__(self, rollout: Rollout) -> None:
        self._rows = transitions_of(rollout)

    def collect(self, policy: Any, iteration: int) -> TargetRows | None:
        if iteration:
            return None
        return TargetRows(self._rows._replace(next_obs=self._rows.next_obs + 0.3))


def played() -> Rollout:
    policy = untrained("robust", SIZES, hidden=(8,))
    return collect(Offset(WORLDS), policy, list(range(WORLDS)), seed=0, stream="train")


@pytest.mark.filterwarnings("ignore:reward_correction")
def test_the_learner_gets_the_clipped_correction_of_each_step_and_the_rest_as_it_was() -> None:
    rollout, seen = played(), Seen()
    before = rollout.reward.clone()
    darc = Darc(1, 1, settings(weight=2.0, clip=0.1, updates=60), seed=0)
    learner = Corrected(seen, darc, Pushed(rollout), episode_steps=5)
    told = [learner.update(rollout, i, 0.0) for i in range(4)]
    assert torch.equal(rollout.reward, before), "what is reported is what was paid"
    step, trial = 7, 5
    row = transitions_of(rollout).endless().rows(slice(trial * 10 + step, trial * 10 + step + 1))
    expected = before[step, trial] + 2.0 * darc.delta(row)[0].clamp(-0.1, 0.1)
    assert float(seen.rollout.reward[step, trial]) == pytest.approx(float(expected), abs=1e-6)
    for field in dataclasses.fields(Rollout):
        if field.name != "reward":
            assert torch.equal(getattr(seen.rollout, field.name), getattr(rollout, field.name))
    assert told[-1]["correction_clipped"] > 0.3
    assert told[-1]["seen"] == 1.0


def test_the_correction_is_worked_out_anew_in_every_update() -> None:
    rollout, seen = played(), Seen()
    learner = Corrected(seen, Darc(1, 1, settings(warm_up=0), seed=0), Pushed(rollout), episode_steps=5)
    rewards = []
    for i in range(3):
        learner.update(rollout, i, 0.0)
        rewards.append(seen.rollout.reward)
    assert not torch.equal(rewards[0], rewards[1])
    assert not torch.equal(rewards[1], rewards[2])


def test_a_clip_that_no_step_would_notice_is_told() -> None:
    rollout = played()
    rollout.reward.mul_(100)
    learner = Corrected(Seen(), Darc(1, 1, settings(warm_up=0), seed=0), Pushed(rollout), episode_steps=5)
    with pytest.warns(UserWarning, match="weight · clip = 5 is .* of the mean reward of a step"):
        learner.update(rollout, 0, 0.0)


# --- runs --------------------------------------------------------------------------------------------------------

CABLE = [*TINY, "reward_correction.target.effect=cable", "reward_correction.updates=5"]
CABLE += ["reward_correction.target.share=0.25"]


def test_a_run_on_the_arm_reports_the_reward_that_was_paid_beside_its_alarms(tmp_path: Path) -> None:
    config = resolve_config("robust", None, [*CABLE, "reward_correction.warm_up=0"])
    rows: list[dict[str, float]] = []
    train(config, tmp_path / "corrected", report=lambda progress: rows.append(progress.metrics))
    plain: list[dict[str, float]] = []
    train(resolve_config("robust", None, TINY), tmp_path / "plain", report=lambda p: plain.append(p.metrics))
    assert rows[0]["return"] == plain[0]["return"]
    assert rows[1]["return"] != plain[1]["return"]
    assert np.isfinite(list(rows[1].values())).all()
    assert rows[1]["correction_target_rows"] == 2 * 270
    assert rows[1]["target_return"] != rows[1]["return"]


def test_the_target_may_be_the_same_arm_in_another_engine(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")
    own = [*TINY, "reward_correction.target.engine=mujoco", *CABLE[-2:]]
    rows: list[dict[str, float]] = []
    train(resolve_config("robust", None, own), tmp_path / "run", report=lambda progress: rows.append(progress.metrics))
    assert rows[1]["correction_target_rows"] == 2 * 270
    assert np.isfinite(list(rows[1].values())).all()


@pytest.mark.parametrize(
    ("algo", "overrides", "message"),
    [
        ("varibad", ["reward_correction.target.effect=cable"], "'varibad' models rewards or adapts on them"),
        ("robust", [*CABLE, "reward_correction.method=importance"], "'robust' draws none; valid: sac"),
        ("robust", [*CABLE, "reward_correction.in_batch=0.1"], "'robust' learns from what it has just played"),
        (
            "sac",
            ["reward_correction.target.recordings=[a.npz]", "reward_correction.in_batch=0.1"],
            "recordings do not tell what their steps were paid",
        ),
        ("robust", ["reward_correction.target.effect=cable", "reward_correction.clip=0"], r"clip' is 0"),
        ("robust", ["reward_correction.weight=1"], r"missing key 'reward_correction\.target'"),
        (
            "robust",
            ["reward_correction.target.effect=cable", "reward_correction.wieght=1"],
            r"unknown key 'reward_correction\.wieght'; did you mean 'weight'",
        ),
        (
            "robust",
            ["reward_correction.target.effect=cable", "reward_correction.method=dark"],
            r"'reward_correction\.method' is 'dark'",
        ),
    ],
)
def test_a_wrong_correction_is_named(algo: str, overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        train(resolve_config(algo, None, [*TINY, *overrides]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:reward_correction")
def test_what_keeps_its_experience_keeps_what_was_paid_and_corrects_every_batch_anew() -> None:
    policy = untrained("sac", SIZES, log_std=0.0)
    sac = learner_of("sac", policy, warm_up=0, updates_per_step=0.01)
    assert isinstance(sac, Sac)
    rollout = collect(Offset(WORLDS), policy, list(range(WORLDS)), seed=0, stream="train")
    learner = Corrected(sac, Darc(1, 1, settings(warm_up=1, updates=60), seed=0), Pushed(rollout), episode_steps=5)
    steps, corrected = sac.replay, []
    for i in range(3):
        learner.update(rollout, i, 0.0)
        batch = steps.draw(50, np.random.default_rng(0))
        corrected.append(learner.lesson(batch, np.random.default_rng(0)).steps.reward)
        assert set(batch.reward.tolist()) <= set(rollout.reward.flatten().tolist())
        assert torch.equal(corrected[i], batch.reward) is (i == 0)
    assert not torch.equal(corrected[1], corrected[2])
    row = Transitions(batch.obs, batch.sent, batch.next_obs, batch.terminated).endless()
    torch.testing.assert_close(corrected[2], batch.reward + learner.estimator.delta(row).clamp(-5, 5))
