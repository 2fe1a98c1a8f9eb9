"""PPO with features made alike: the identities, what is refused, and a lever whose two sensors differ on the robot."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from domain_rand.randomizer import keyed_rng
from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes, find_algorithm
from sdk.config import PolicyConfig, TrainConfig, resolve_config
from sdk.invariance.training import AlikeConfig, AlikePpo, Guarded
from sdk.nn.policies import MlpPolicy
from sdk.rl.ppo import Ppo, PpoConfig
from sdk.rl.rollout import collect
from sdk.through_twin import HeldOut, drive
from tests.sdk.invariance.shifted import BAYES, CAUSAL, SOURCE_ONLY
from tests.sdk.toy_worlds import ToyTrials, learn

BUNDLE = Path("bundles/servo_arm_rl2.zip")


class TwoSensors(ToyTrials):
    """A lever to be pulled the way s = ±1 says, another at each step: sensors show s + noise, and 1.5 s + noise.

    In the target the second shows 3 + noise, whatever s is (as `tests.sdk.invariance.shifted`).
    """

    obs_size = 2
    trial_steps = 20

    def __init__(self, size: int, target: bool = False) -> None:
        super().__init__(size)
        self.target = target

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        draws = [keyed_rng(0, "levers", int(i), "draws").standard_normal((self.trial_steps + 1, 3)) for i in indices]
        self.draws = np.array(draws)
        return super().begin(indices)

    def context(self) -> np.ndarray:
        return np.zeros(len(self.indices))

    def sense(self) -> np.ndarray:
        return np.sign(self.draws[:, self.t, 0])

    def obs(self) -> np.ndarray:
        nuisance = np.full(len(self.indices), 3.0) if self.target else 1.5 * self.sense()
        return (np.stack([self.sense(), nuisance], -1) + self.draws[:, self.t, 1:]).astype(np.float32)

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -((sent - 0.7 * self.sense()) ** 2)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        every = np.ones(len(self.indices), bool)
        return every, ~every


def right(policy: Any, target: bool) -> float:
    """How often the lever is pulled the right way."""
    worlds = TwoSensors(300, target)
    seen = collect(worlds, policy, list(range(10**6, 10**6 + 300)), seed=0, stream="held_out", explore=False)
    ways = np.sign(worlds.draws[:, :-1, 0].T)
    return float((np.sign(seen.action[..., 0].numpy()) == ways).mean())


def untrained(weight: float) -> AlikePpo:
    torch.manual_seed(0)
    ppo = PpoConfig(lr=5e-3, epochs=4, minibatches=4, gamma=0.5)
    config = TrainConfig(algo="robust", ppo=ppo, policy=PolicyConfig(hidden=(8,)))
    policy = MlpPolicy(Sizes(2, 1, 1, reads_reward=False), config.policy, oracle=False)
    policy.actor = Guarded([2, 8, 1], [0, 1], 1, 0.1)
    there = TwoSensors(200, target=True)
    target = collect(there, policy, list(range(200)), seed=0, stream="target").obs.flatten(0, 1)
    alike = AlikeConfig(signals=("both",), target=("recorded",), weight=weight, features=1)
    return AlikePpo(policy, config, alike, target)


@pytest.mark.learning
def test_a_nuisance_is_believed_without_an_adversary_and_not_with_one() -> None:
    plain, guarded = untrained(0.0), untrained(3.0)
    for learner in (plain, guarded):
        learn(TwoSensors(200), learner, 40)
    assert right(plain.policy, target=False) == pytest.approx(BAYES, abs=0.02)
    assert right(plain.policy, target=True) == pytest.approx(SOURCE_ONLY, abs=0.05)
    assert 0.78 <= right(guarded.policy, target=True) <= CAUSAL + 0.02


def test_an_actor_reads_hidden_places_through_its_features_alone() -> None:
    torch.manual_seed(0)
    actor = Guarded([4, 8, 2], [1, 2], 1, 1.0)
    obs = torch.randn(5, 3, 4)
    assert actor(obs).shape == (5, 3, 2)
    before = actor(obs)
    with torch.no_grad():
        actor.encoder[-2].weight.zero_()
    other = obs.clone()
    other[..., [1, 2]] += 1.0
    assert torch.equal(actor(other), actor(obs))
    assert not torch.allclose(before, actor(obs))
    shown = obs.clone()
    shown[..., 3] += 1.0
    assert not torch.allclose(actor(shown), actor(obs))


def test_an_adversary_of_no_weight_is_ppo_to_the_bit_and_one_of_some_is_not() -> None:
    after = []
    for make in (lambda: untrained(0.0), lambda: untrained(3.0), plain_ppo):
        learner = make()
        learn(TwoSensors(8), learner, 2)
        after.append(torch.cat([p.flatten() for p in learner.policy.parameters()]))
    assert torch.equal(after[0], after[2])
    assert not torch.allclose(after[1], after[2])


def plain_ppo() -> Ppo:
    ours = untrained(0.0)
    return Ppo(ours.policy, ours.config, "episode", ours.seed)


def test_a_stopped_training_goes_on_with_its_adversary() -> None:
    stopped, again = untrained(3.0), untrained(3.0)
    learn(TwoSensors(8), stopped, 1)
    again.policy.load_state_dict(stopped.policy.state_dict())
    again.load_state_dict(deepcopy(stopped.state_dict()))
    for one in (stopped, again):
        rollout = collect(TwoSensors(8), one.policy, list(range(8)), seed=0, stream="train")
        one.update(rollout, 1, 0.5)
    same = zip(stopped.adversary.parameters(), again.adversary.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("visit") / "visit.npz"
    drive(BUNDLE, HeldOut("servo_arm", 1, 0, "none", None, pace="lockstep"), path)
    return path


def config_with(target: Path, *more: str) -> TrainConfig:
    alike = f"method.alike={{signals: [joint_pos], target: ['{target}']}}"
    return resolve_config("robust", None, [alike, "steps=1", "workers=0", "trials=2", *more])


def test_a_robot_s_signals_and_recordings_are_what_is_made_alike(recording: Path) -> None:
    config = config_with(recording)
    robust = find_algorithm("robust")
    policy = robust.build(Sizes(3, 1, 7, reads_reward=False), config)
    assert isinstance(policy, MlpPolicy)
    assert policy.actor.hidden.tolist() == [0]  # type: ignore[union-attr, operator]
    learner = robust.learner(policy, config)
    assert isinstance(learner, AlikePpo)
    assert learner.target.shape[1] == 3
    assert len(learner.target) > 100


def test_what_does_not_fit_is_refused_by_name(recording: Path) -> None:
    with pytest.raises(ConfigError, match="servo_arm has no 'joint_poss'; did you mean 'joint_pos'"):
        find_algorithm("robust").build(
            Sizes(3, 1, 7, reads_reward=False), config_with(recording, "method.alike.signals=[joint_poss]")
        )
    toy = resolve_config(
        "robust", None, ["toy.name=wind", "method.alike={signals: [joint_pos], target: [visit.npz]}", "steps=1"]
    )
    with pytest.raises(ConfigError, match="the toy 'wind' has no signals"):
        find_algorithm("robust").build(Sizes(3, 1, 7, reads_reward=False), toy)
    nowhere = config_with(Path("nowhere.npz"))
    with pytest.raises(ConfigError, match=r"nowhere\.npz"):
        find_algorithm("robust").learner(torch.nn.Linear(1, 1), nowhere)
