"""RMA and explicit identification: who is told, what is inferred from which steps, and what learns in which phase."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from domain_rand.schema import ConfigError
from export.bundle import STEP_GRAPH, read_bundle
from export.runtime.policy import Policy
from sdk.algos.base import Sizes
from sdk.nn.extrinsics import ExtrinsicsPolicy
from sdk.nn.history import HistoryEncoder, windows_at
from sdk.rl.ppo import PpoConfig
from sdk.rl.rollout import Rollout, collect
from sdk.rl.two_phases import TwoPhases
from sdk.ship import export_run
from sdk.train import load_policy, train
from tests.sdk.tiny_runs import tiny
from tests.sdk.toy_worlds import Recall, TwoArms, learn, trial_return
from tests.sdk.untrained import learner_of, untrained

SIZES, TRIALS = Sizes(obs=2, action=1, context=1, reads_reward=True), 4
SMALL = {"window": 3, "every": 2, "filters": 4, "windows": 8, "updates": 2, "batch_trials": 3}
BOTH = pytest.mark.parametrize("algo", ["rma", "system_identification"])


def used(algo: str = "rma", **method: Any) -> ExtrinsicsPolicy:
    """A policy with a used normaliser, whose actions depend strongly on what it knows."""
    policy: ExtrinsicsPolicy = untrained(algo, SIZES, method={**SMALL, **method}, hidden=(16,))
    nn.init.orthogonal_(policy.actor[-1].weight)  # type: ignore[arg-type]
    policy.normalizer.update(torch.randn(20, 2) * 3 + 1)
    return policy


def made(policy: ExtrinsicsPolicy, algo: str = "rma", **method: Any) -> TwoPhases:
    learner = learner_of(algo, policy, PpoConfig(minibatches=2), **{**SMALL, **method})
    assert isinstance(learner, TwoPhases)
    return learner


def played(policy: ExtrinsicsPolicy, explore: bool = True) -> Rollout:
    return collect(TwoArms(TRIALS), policy, list(range(TRIALS)), seed=0, stream="train", explore=explore)


def flat(parameters: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in parameters])


def beside_history(policy: ExtrinsicsPolicy) -> Tensor:
    return flat(p for name, p in policy.named_parameters() if not name.startswith("history"))


# --- history ---------------------------------------------------------------------------------------------------------


def test_a_window_holds_the_last_steps_and_zeros_before_the_first() -> None:
    rows = torch.arange(1.0, 7).reshape(3, 2, 1)  # trial 0: 1, 3, 5; trial 1: 2, 4, 6
    found = windows_at(rows, torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]), size=2)
    assert found[..., 0].tolist() == [[0, 1], [2, 4], [4, 6]]


def test_over_fifty_steps_convolutions_are_those_of_the_paper() -> None:
    encoder = HistoryEncoder(inputs=42, window=50, filters=32, latent=8)
    sizes = [(m.kernel_size, m.stride) for m in encoder.convolutions if isinstance(m, nn.Conv1d)]
    assert sizes == [((8,), (4,)), ((5,), (1,)), ((5,), (1,))]
    assert encoder.out.in_features == 3 * 32
    assert encoder(torch.randn(5, 50, 42)).shape == (5, 8)


@pytest.mark.parametrize("window", [1, 2, 7, 8, 9, 33])
def test_shorter_windows_have_convolutions_that_fit(window: int) -> None:
    encoder = HistoryEncoder(3, window, 4, 2)
    assert encoder(torch.randn(5, window, 3)).shape == (5, 2)


@BOTH
@pytest.mark.parametrize("every", [1, 2, 4])
def test_what_is_inferred_step_by_step_is_what_windows_of_the_trial_say_held_in_between(algo: str, every: int) -> None:
    policy = used(algo, every=every)
    policy.adapting.fill_(1.0)
    rollout, carry, steps = played(policy), policy.initial_carry(TRIALS), 6
    for t in range(steps):
        reading = (rollout.obs[t], rollout.last_action[t], rollout.last_reward[t], rollout.episode_start[t])
        mean, carry = policy.step(*reading, carry)
        time = torch.full((TRIALS,), t - t % every)
        said = policy.history(windows_at(policy.rows(rollout), time, torch.arange(TRIALS), size=3))
        torch.testing.assert_close(carry[1], said)
        torch.testing.assert_close(mean, policy.act(policy.normalizer(reading[0]), reading[1], said))


# --- who is told -----------------------------------------------------------------------------------------------------


def actions(policy: ExtrinsicsPolicy, context: float) -> Tensor:
    policy.bind_context(torch.full((1, 1), context))
    reading = (torch.ones(1, 2), torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    return policy.step(*reading, policy.initial_carry(1))[0]


@BOTH
def test_only_training_s_first_phase_is_told(algo: str) -> None:
    policy = used(algo)
    assert not torch.isclose(actions(policy, -1.0), actions(policy, 1.0))
    policy.adapting.fill_(1.0)
    assert torch.equal(actions(policy, -1.0), actions(policy, 1.0))
    policy.adapting.zero_()
    assert torch.equal(actions(policy.eval(), -1.0), actions(policy.eval(), 1.0))


def test_without_adaptation_it_acts_on_what_is_usual_and_remembers_nothing() -> None:
    policy = used(adapt=False)
    history = flat(policy.history.parameters())
    assert made(policy, adapt=False).update(played(policy), 0, 0.9) == {}
    assert torch.equal(flat(policy.history.parameters()), history)
    usual = policy.privileged(torch.tensor([[0.0], [1.0]])).mean(0)  # even and odd worlds are equally many
    torch.testing.assert_close(policy.usual.mean, usual.detach())
    said = policy.act(policy.normalizer(torch.ones(1, 2)), torch.ones(1, 1), usual[None])
    torch.testing.assert_close(actions(policy.eval(), 1.0), said)
    assert (policy.carry_spec, policy.inputs) == ((), ("obs", "last_action"))


@BOTH
def test_where_nothing_is_hidden_it_is_refused(algo: str) -> None:
    with pytest.raises(ConfigError, match="nothing is hidden here"):
        untrained(algo, Sizes(2, 1, 0, reads_reward=True))


# --- what learns when ------------------------------------------------------------------------------------------------


@BOTH
def test_first_the_policy_learns_and_then_what_infers_alone(algo: str) -> None:
    policy = used(algo)
    learner, rest, history = made(policy, algo), beside_history(policy), flat(policy.history.parameters())
    row = learner.update(played(policy), 0, 0.74)
    assert "policy_loss" in row
    assert not torch.equal(beside_history(policy), rest)
    assert torch.equal(flat(policy.history.parameters()), history)
    rest, normalizer = beside_history(policy), copy.deepcopy(policy.normalizer.state_dict())
    for iteration, progress in ((1, 0.75), (2, 0.9)):
        row = learner.update(played(policy), iteration, progress)
        assert row.keys() == {"latent_error", "unexplained"}
    assert torch.equal(beside_history(policy), rest)
    assert all(torch.equal(policy.normalizer.state_dict()[name], x) for name, x in normalizer.items())
    assert not torch.equal(flat(policy.history.parameters()), history)


def test_the_policy_s_loss_reaches_the_privileged_encoder_and_the_regression_does_not() -> None:
    policy = used()
    learner, rollout = made(policy), played(policy)
    head, value, _ = policy.unroll(rollout, policy.initial_carry(TRIALS))
    (head.sum() + value.sum()).backward()
    assert all(p.grad is not None and p.grad.any() for p in policy.privileged.parameters())
    assert all(p.grad is None for p in policy.history.parameters())
    policy.zero_grad(set_to_none=True)
    learner.loss(rollout, np.random.default_rng(0))[0].backward()
    having = {name.split(".")[0] for name, p in policy.named_parameters() if p.grad is not None}
    assert having == {"history"}


def test_the_error_is_that_of_windows_against_what_would_be_told() -> None:
    policy = used()
    learner, rollout = made(policy, windows=5000), played(policy)
    rows, target = policy.rows(rollout), policy.privileged(rollout.context[0])
    errors = []
    for t in range(6):
        time, trial = torch.full((TRIALS,), t), torch.arange(TRIALS)
        errors.append((policy.history(windows_at(rows, time, trial, 3)) - target).square().mean())
    expected, found = torch.stack(errors).mean(), learner.loss(rollout, np.random.default_rng(0))[0]
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0)  # 5000 draws of 24 windows


def test_a_policy_that_adapts_goes_on_with_inference_whatever_the_progress() -> None:
    """So another run that begins with it leaves the policy as it is."""
    policy = used()
    policy.adapting.fill_(1.0)
    rest = beside_history(policy)
    assert made(policy).update(played(policy), 0, 0.0).keys() == {"latent_error", "unexplained"}
    assert torch.equal(beside_history(policy), rest)


# --- learning --------------------------------------------------------------------------------------------------------


def gap_closed(algo: str, window: int, **method: Any) -> float:
    """Return where a policy ends between not knowing what was shown at the first step (0) and knowing it (1)."""
    method = {"window": window, "every": 1, "filters": 8, "phase_two": 0.3, "updates": 30, "lr": 5e-3, **method}
    policy = untrained(algo, Sizes(1, 1, 1, reads_reward=False), method=method, hidden=(32,))
    learner = learner_of(algo, policy, PpoConfig(lr=1e-2, minibatches=2, gamma=0.5), **method)
    learn(Recall(100), learner, iterations=50)
    return 1 - trial_return(Recall(200), policy.eval()) / Recall.of_not_knowing


@BOTH
def test_what_shows_once_is_acted_on_as_long_as_the_window_holds_it(algo: str) -> None:
    assert gap_closed(algo, window=4) > 0.8
    assert gap_closed(algo, window=1) < 0.3


def test_without_adaptation_nothing_is_known() -> None:
    assert gap_closed("rma", window=4, adapt=False) < 0.1


# --- what leaves -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_leaves_holds_no_number_of_the_privileged_encoder(tmp_path: Path) -> None:
    train(tiny("rma", "method.phase_two=0.5", "method.encoder_hidden=[7]", "method.updates=2"), tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "bundle", worlds=2)
    graph = onnx.load_from_string(read_bundle(tmp_path / "bundle").files[STEP_GRAPH]).graph
    kept = {onnx.numpy_helper.to_array(x).tobytes() for x in graph.initializer}
    _, policy, _ = load_policy(tmp_path / "run")
    private = [*policy.privileged.parameters(), *policy.critic.parameters()]  # type: ignore[union-attr]
    leaving = [policy.actor[0].weight, policy.history.embed.weight]  # type: ignore[union-attr, index]

    def there(weight: Tensor) -> bool:
        array = weight.detach().numpy()
        return array.tobytes() in kept or np.ascontiguousarray(array.T).tobytes() in kept

    assert all(there(weight) for weight in leaving)
    assert not any(there(weight) for weight in private if weight.dim() > 1)


@pytest.mark.slow
def test_a_bundle_infers_at_the_rate_that_its_manifest_says(tmp_path: Path) -> None:
    train(tiny("rma", "method.every=4", "method.phase_two=0.5", "method.updates=2"), tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "bundle", worlds=2)
    policy = Policy.load(tmp_path / "bundle")
    assert policy.manifest.encoder_every == 4
    rng, inferred = np.random.default_rng(0), []
    for step in range(12):
        signals = {s.name: rng.normal(0, 0.1, s.size).tolist() for s in policy.contract.signals}
        policy.step(signals, episode_start=step == 0)
        inferred.append(policy.memory["latent"].copy())
    changed = [not np.array_equal(a, b) for a, b in itertools.pairwise(inferred)]
    assert [step + 1 for step, moved in enumerate(changed) if moved] == [4, 8]
