"""What must hold of every algorithm there is, on the real servo arm and on a toy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.every_bundle import adapts_by_reward, deployable, half_and_half, parity_rows
from benchmarks.every_bundle import brief as brief_on_robot
from export.bundle import read_bundle
from sdk.algos.base import algorithm_names
from sdk.checkpoint import METRICS, PLAYED, RunFolder
from sdk.config import TrainConfig, resolve_config
from sdk.evaluate import evaluate_run
from sdk.ship import export_run
from sdk.train import Progress, train
from tests.sdk.untrained import with_discrete_actions

TABLES = ["trials=20", "steps=1800", "workers=0", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1"]
TABLES += ["toy.name=tabular_mdp", "toy.settings.episodes=3", "ppo.bptt=null"]
"""Three iterations of twenty trials, 30 steps each."""

POINTS = ["trials=20", "steps=3600", "workers=0", "policy.hidden=[8]", "policy.memory=8"]
POINTS += ["toy.name=point_robot", "toy.settings.episodes=3", "method.updates_per_step=0.02"]
"""The same for actions that are not discrete, 60 steps each."""

ARM = ["robot=panda", "task=reach_sparse", "trials=1", "robots=1", "steps=900", "workers=0", "policy.hidden=[8]"]
ARM += ["method.warm_up=0", "method.updates_per_step=0.02"]
"""Three iterations of one trial, 300 steps each, for what needs a goal: no toy has one."""

GUIDED = [*POINTS[:-1], "method.expert.updates_per_step=0.02", "method.expert_steps=1200"]
"""As points, experts in the first iteration alone."""


def brief(algo: str, *overrides: str) -> TrainConfig:
    """Return the configuration of three short iterations."""
    special = {"her": ARM, "gmps": GUIDED}
    subject = special.get(algo) or (TABLES if algo in with_discrete_actions() else POINTS)
    return resolve_config(algo, None, [*subject, *half_and_half(algo), *overrides])


class Interrupted(Exception):
    """Stands for whatever stops a run."""


def weights(folder: Path) -> dict[str, Any]:
    return RunFolder(folder).load()["policy"]


@pytest.mark.parametrize("algo", algorithm_names())
def test_equal_seeds_give_equal_runs_interrupted_or_not(algo: str, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.metrics["iteration"] == 1:
            raise Interrupted

    config = brief(algo)
    whole, parts, other = (tmp_path / name for name in ("whole", "parts", "other"))
    train(config, whole)
    with pytest.raises(Interrupted):
        train(config, parts, report=stop)
    train(RunFolder(parts).config(), parts, resume=True)
    train(brief(algo, "seed=1"), other)
    assert (parts / METRICS).read_bytes() == (whole / METRICS).read_bytes() != (other / METRICS).read_bytes()
    assert len(RunFolder(whole).metrics()) == 3
    kept = [sorted(path.name for path in (folder / PLAYED).glob("*")) for folder in (whole, parts)]
    assert kept[0] == kept[1]
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(parts)[name]), name


@pytest.mark.parametrize("algo", [name for name in algorithm_names() if name != "her"])
def test_an_agent_that_never_learned_can_be_evaluated_on_unseen_tasks(algo: str, tmp_path: Path) -> None:
    """All that the run keeps is what it started with."""
    discrete = algo in with_discrete_actions()
    config = brief(algo, "steps=1", *(["ppo.lr=1e-12"] if discrete else ["method.lr=1e-12"]))
    train(config, tmp_path / "run")
    first, again = (evaluate_run(tmp_path / "run", 50, seed=7) for _ in range(2))
    assert np.isfinite(first.returns).all()
    assert np.array_equal(first.per_episode, again.per_episode)
    whatever_is_done = 30 if discrete else -63  # mean rewards are 1; two random points are 1.04 apart
    assert abs(first.mean.value - whatever_is_done) < 10


@pytest.mark.slow
@pytest.mark.parametrize("algo", deployable())
def test_a_robot_s_policy_leaves_as_the_graph_it_was(algo: str, tmp_path: Path) -> None:
    train(brief_on_robot(algo, "policy.hidden=[8]", "policy.memory=8"), tmp_path / "run")
    manifest = export_run(tmp_path / "run", tmp_path / "bundle", worlds=2)
    assert manifest.parity.steps >= 1000
    assert bool(manifest.carry) is (algo not in ("robust", "sac", "her"))
    assert (manifest.adaptation is not None) is adapts_by_reward(algo)
    rows = parity_rows(read_bundle(tmp_path / "bundle"), {})
    assert [row.name.split("/")[1] for row in rows] == ["step", *["adapt"] * adapts_by_reward(algo), "golden"]
    assert all(row.holds for row in rows)
