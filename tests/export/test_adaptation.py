"""A bundle that adapts between episodes: the graph is the policy's `adapt`, and no data can make it do harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import load_from_string
from onnx.reference import ReferenceEvaluator

from export.adapt_graph import adapt_to_onnx
from export.bundle import ADAPT_GRAPH, Bundle, BundleError, check_files, manifest_bytes
from export.manifest import Manifest
from export.model_card import model_card
from export.runtime.policy import Policy
from export.runtime.session import open_session
from export.step_graph import ExportError
from sdk.rl.episodes import Episodes
from tests.export.adapting_bundle import EVERY, ROUNDS, adapting_policy
from tests.export.two_joints import two_joints

STEPS = 20


@pytest.fixture
def bundle(adapting: Bundle) -> Bundle:
    return adapting


def support(steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = np.ones((steps, 1))
    mask[steps - steps // 4 :] = 0
    given = {
        "obs": rng.normal(size=(steps, 1, 2)),
        "action": rng.normal(size=(steps, 1, 2)),
        "reward": rng.normal(size=(steps, 1)),
        "time": (np.arange(steps) % 25)[:, None],
        "mask": mask,
        "carry_adapted": 0.1 * rng.normal(size=(1, adapting_policy().carry_spec[0].shape[0])),
    }
    return {name: value.astype(np.float32) for name, value in given.items()}


def by_policy(given: dict[str, np.ndarray]) -> np.ndarray:
    *episodes, carry = (torch.from_numpy(value) for value in given.values())
    with torch.no_grad():
        (made,) = adapting_policy().adapt(Episodes(*episodes), (carry,))
    result: np.ndarray = made.numpy()
    return result


@pytest.mark.parametrize("steps", [1, 2, 3, 20, 100, 500])
def test_the_graph_adapts_as_the_policy_does(bundle: Bundle, steps: int) -> None:
    session, given = open_session(bundle.files[ADAPT_GRAPH]), support(steps)
    made = session.run(["next_adapted"], given)[0]
    np.testing.assert_allclose(made, by_policy(given), rtol=0, atol=1e-5)
    if steps > 2:
        assert np.abs(made - given["carry_adapted"]).max() > 1e-3


def test_steps_that_do_not_count_have_no_effect(bundle: Bundle) -> None:
    session, given = open_session(bundle.files[ADAPT_GRAPH]), support(40)
    other = given | {"reward": np.where(given["mask"] > 0, given["reward"], 1e4).astype(np.float32)}
    np.testing.assert_allclose(*(session.run(None, x)[0] for x in (given, other)), rtol=0, atol=1e-6)


def test_the_reference_implementation_of_onnx_agrees(bundle: Bundle) -> None:
    given = support(30)
    made = ReferenceEvaluator(load_from_string(bundle.files[ADAPT_GRAPH])).run(["next_adapted"], given)[0]
    np.testing.assert_allclose(made, by_policy(given), rtol=0, atol=1e-5)


def test_two_traces_are_equal_bytes(bundle: Bundle) -> None:
    assert adapt_to_onnx(adapting_policy(), 2) == bundle.files[ADAPT_GRAPH]


class Branching(torch.nn.Linear):
    """Adapts by the value of a tensor, which no graph can."""

    inputs, log_std = ("obs",), torch.nn.Parameter(torch.zeros(2))
    carry_spec: tuple[Any, ...] = adapting_policy().carry_spec

    def step(self, *inputs: Any) -> Any:
        raise NotImplementedError

    def adapt(self, episodes: Any, carry: Any) -> Any:
        return carry if float(episodes[2].sum()) > 0 else (carry[0] + self.weight.sum(),)


def test_a_policy_that_cannot_be_traced_is_refused_and_the_next_one_is_not() -> None:
    with pytest.raises(ExportError, match="Branching.adapt cannot be traced.*must not branch"):
        adapt_to_onnx(Branching(2, 2), 2)
    assert adapt_to_onnx(adapting_policy(), 2)


# --- on the robot ----------------------------------------------------------------------------------------------------

Reward = Callable[[int, dict[str, float]], float | None]


def helpful(t: int, command: dict[str, float]) -> float:
    """Pays for a hip that is driven forward."""
    return float(np.clip(command["hip"] / 10.0, -1, 1))


def play(policy: Policy, episodes: int, reward: Reward = helpful) -> list[float]:
    """Play so many episodes of one trial and return the mean reward of each."""
    rng, paid, means = np.random.default_rng(0), 0.0, []
    policy.start_trial()
    for _ in range(episodes):
        rewards = []
        for t in range(STEPS):
            signals = {"joint_pos": rng.uniform(-0.5, 0.5, 2).tolist()}
            command = policy.step(signals, episode_start=t == 0, last_reward=paid)
            paid = reward(t, command)  # type: ignore[assignment]
            rewards.append(0.0 if paid is None else paid)
        means.append(float(np.mean(rewards)))
    policy.end_episode(paid)
    return means


def test_a_robot_adapts_after_every_batch_and_no_more_often_than_agreed(bundle: Bundle) -> None:
    policy = Policy(bundle)
    play(policy, EVERY * (ROUNDS + 2))
    assert [outcome.episode for outcome in policy.adaptations] == [EVERY * (k + 1) for k in range(ROUNDS)]
    assert all(outcome.accepted and outcome.step_norm > 1e-3 for outcome in policy.adaptations)


def test_what_the_robot_adapted_to_is_what_the_policy_would_have(bundle: Bundle) -> None:
    policy, seen = Policy(bundle), []
    assert policy._adaptation is not None
    given = policy._adaptation._given
    policy._adaptation._given = lambda *a: seen.append(given(*a)) or seen[-1]  # type: ignore[method-assign, func-returns-value]
    play(policy, EVERY)
    assert seen[0]["obs"].shape == (EVERY * STEPS, 1, 2)
    assert seen[0]["time"][:, 0].tolist() == [*range(STEPS)] * EVERY
    np.testing.assert_allclose(policy.carry["adapted"], by_policy(seen[0]), rtol=0, atol=1e-5)


def test_adapting_pays_and_a_new_trial_forgets_it(bundle: Bundle) -> None:
    policy = Policy(bundle)
    means = play(policy, EVERY * (ROUNDS + 1))
    assert np.mean(means[-EVERY:]) > np.mean(means[:EVERY]) + 0.01
    policy.start_trial()
    assert not policy.carry["adapted"].any()


def test_commands_explore_until_the_last_round_and_not_beyond(bundle: Bundle) -> None:
    policy, still = Policy(bundle), {"joint_pos": [0.1, -0.1]}
    first, second = (policy.step(still, last_reward=0.0) for _ in range(2))
    assert first != second
    play(policy, EVERY * ROUNDS)
    settled = [policy.step(still, episode_start=True, last_reward=0.0) for _ in range(2)]
    assert settled[0] == settled[1]


def test_runs_are_repeatable(bundle: Bundle) -> None:
    assert play(Policy(bundle), 4) == play(Policy(bundle), 4)


SPOILT: dict[str, tuple[Reward, str]] = {
    "nan": (lambda t, c: float("nan") if t == 5 else 0.1, "missing or not finite"),
    "missing": (lambda t, c: None if t == 5 else 0.1, "missing or not finite"),
    "exploding": (lambda t, c: 1e6 if t == 5 else 0.1, "is not within"),
    "infinite": (lambda t, c: float("inf") if t == 5 else 0.1, "missing or not finite"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_episodes_change_nothing_and_are_reported(bundle: Bundle, name: str) -> None:
    reward, reason = SPOILT[name]
    policy = Policy(bundle)
    play(policy, EVERY, reward)
    (outcome,) = policy.adaptations
    assert not outcome.accepted
    assert reason in outcome.reason
    assert not policy.carry["adapted"].any()
    play(policy, EVERY)
    assert policy.adaptations[-1].accepted


def test_a_step_further_than_training_s_is_rolled_back(bundle: Bundle) -> None:
    timid = bundle.manifest.adaptation.model_copy(update={"step_norm": 1e-6})  # type: ignore[union-attr]
    manifest = bundle.manifest.model_copy(update={"adaptation": timid})
    policy = Policy(Bundle(manifest, bundle.files))
    play(policy, EVERY)
    assert not policy.adaptations[0].accepted
    assert "more than 1e-06" in policy.adaptations[0].reason
    assert not policy.carry["adapted"].any()


# --- the bundle ------------------------------------------------------------------------------------------------------


def test_a_bundle_without_its_adapt_graph_is_refused(bundle: Bundle) -> None:
    files = {name: data for name, data in bundle.files.items() if name != ADAPT_GRAPH}
    listed = {name: sha for name, sha in bundle.manifest.files.items() if name != ADAPT_GRAPH}
    manifest = bundle.manifest.model_copy(update={"files": listed})
    with pytest.raises(BundleError, match="adapt.onnx is missing"):
        check_files({"manifest.yaml": manifest_bytes(manifest), **files}, "bundle")


def test_adapting_needs_a_robot_that_reports_its_reward(bundle: Bundle) -> None:
    silent = bundle.manifest.plain() | {"contract": two_joints().plain()}
    with pytest.raises(ValueError, match="needs_reward: false"):
        Manifest.parse(silent)
    assert "adaptation" not in bundle.manifest.model_copy(update={"adaptation": None}).plain()


def test_the_card_exists_for_it(bundle: Bundle, tmp_path: Path) -> None:
    assert "maml" in model_card(bundle.manifest)
