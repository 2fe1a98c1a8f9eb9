"""What a learned rule is compared with: the same weights, moved by plain steps of the length that does best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import learned_updates
from benchmarks.learned_updates import SHARES, TUNING, by_update, compared, lengthened, plain, takes_plain_steps, tuned
from sdk.config import TrainConfig, resolve_config
from sdk.engines.local import build_policy, make_worlds
from sdk.evaluate import HELD_OUT
from sdk.suite.definition import Benchmark, BenchmarkFile
from sdk.suite.options import Options
from sdk.train import train, world_shape

LEARNED = ["learned_optimizer", "meta_network"]


def config_of(algo: str) -> TrainConfig:
    small = ["toy.name=navigation", "toy.settings.episodes=6", "workers=0", "policy.hidden=[4]", "trials=4"]
    return resolve_config(algo, None, [*small, "method.rollouts=2", "method.inner_steps=1", "method.adaptations=2"])


def talking(algo: str) -> tuple[TrainConfig, Any]:
    config = config_of(algo)
    policy: Any = build_policy(config, world_shape(config)).eval()
    for name, weight in policy.named_parameters():
        if name == "learned.readout" or name.startswith("encoder.last."):
            nn.init.normal_(weight, std=3.0)
    return config, policy


@pytest.mark.parametrize("algo", LEARNED)
def test_without_its_rule_a_policy_is_maml_s_from_the_same_weights(algo: str) -> None:
    config, policy = talking(algo)
    theirs: Any = build_policy(config_of("maml"), world_shape(config)).eval()
    theirs.load_state_dict({name: policy.state_dict()[name] for name in theirs.state_dict()})
    sgd = plain(policy, 0.4, 0.5)
    found = by_update(config, sgd, 3, "tuning")
    assert np.array_equal(found, by_update(config, plain(theirs, 0.4, 0.5), 3, "tuning"))
    assert not np.allclose(found[:, 1:], by_update(config, policy, 3, "tuning")[:, 1:])
    assert any(weight.abs().max() > 1 for weight in policy.parameters())  # the policy itself still talks


def test_other_lengths_leave_what_a_meta_network_writes() -> None:
    config, policy = talking("meta_network")
    assert takes_plain_steps(policy)
    assert not takes_plain_steps(talking("learned_optimizer")[1])
    short, plainly = lengthened(policy, 1e-9, 1.0), plain(policy, 1e-9, 1.0)
    found, still = (by_update(config, one, 3, "tuning") for one in (short, plainly))
    assert np.array_equal(found[:, 0], still[:, 0])
    assert not np.allclose(found[:, 1], still[:, 1])  # what is written alone


@pytest.mark.parametrize("algo", LEARNED)
def test_the_length_that_is_tuned_is_the_best_there_is(algo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, policy = talking(algo)
    monkeypatch.setattr(learned_updates, "LENGTHS", (0.01, 3.0))
    best = tuned(config, policy, (1, 2), tasks=3)
    for k in (1, 2):
        means = [by_update(config, plain(policy, a, b), 3, "tuning").mean(0)[k] for a in (0.01, 3.0) for b in SHARES]
        assert by_update(config, best[k], 3, "tuning").mean(0)[k] == max(means)


def test_rows_hold_what_was_learned_against_plain_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(learned_updates, "UPDATES", (1, 2))
    monkeypatch.setattr(learned_updates, "LENGTHS", (0.1,))
    entry = {"steps": 1, "trials": 4, "workers": 0, "policy": {"hidden": [4]}}
    entry |= {"method": {"rollouts": 2, "inner_steps": 1, "adaptations": 2}}
    toy = {"name": "navigation", "settings": {"episodes": 6}}
    texts = dict.fromkeys(("title", "paper", "protocol"), "x")
    file = {**texts, "toy": toy, "tasks": 4, "ceiling": "oracle", "algorithms": {"meta_network": entry}}
    benchmark, options = Benchmark("it", BenchmarkFile.parse(file), "it"), Options(seeds=(0,), folder=tmp_path)
    train(benchmark.config("meta_network", 0), options.run_folder(benchmark, "meta_network", 0))
    found = {row.name: row for row in compared(benchmark, "meta_network", options)}
    assert set(found) == {
        f"meta_network/{name}" for name in ("before", "after_1", "after_1/tuned_sgd", "after_2", "after_2/tuned_sgd")
    }
    for k in (1, 2):
        ours, theirs = found[f"meta_network/after_{k}"], found[f"meta_network/after_{k}/tuned_sgd"]
        assert ours.reference["tuned_sgd"] == theirs.value
        assert ours.holds is (ours.value >= theirs.value)


def test_tasks_to_tune_on_are_not_those_to_judge_by() -> None:
    config = config_of("maml")
    streams = [make_worlds(config, size=5, seed=0, stream=stream) for stream in (TUNING, HELD_OUT)]
    assert not np.isclose(*(worlds.begin(range(5))[1] for worlds in streams)).any()
