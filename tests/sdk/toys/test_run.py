"""A run on a toy is a run: trained, continued, evaluated; only a robot's policy can leave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.algos.base import algorithm_names, find_algorithm
from sdk.checkpoint import METRICS, RunFolder
from sdk.config import TrainConfig, resolve_config
from sdk.evaluate import evaluate_run
from sdk.rl.meta_settings import InnerConfig
from sdk.ship import export_run
from sdk.train import Progress, train
from tests.sdk.untrained import with_discrete_actions

TINY = ["trials=20", "steps=1800", "workers=0", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1"]
TABLES = [*TINY, "toy.name=tabular_mdp", "toy.settings.episodes=3", "ppo.bptt=15"]
"""Three iterations of twenty trials, 30 steps each."""


class Interrupted(Exception):
    """Stands for whatever stops a run."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "run"
    train(resolve_config("rl2", None, TABLES), folder)
    return folder


def test_an_interrupted_run_continues_to_the_same_bytes(tables: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Interrupted

    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(resolve_config("rl2", None, TABLES), folder, report=stop)
    train(RunFolder(folder).config(), folder, resume=True)
    assert (folder / METRICS).read_bytes() == (tables / METRICS).read_bytes()
    assert len(RunFolder(folder).metrics()) == 3


def test_an_evaluation_is_by_episode_on_other_tasks(tables: Path) -> None:
    result, again, seen = (evaluate_run(tables, 30, seed=0, stream=s) for s in ("held_out", "held_out", "train"))
    assert result.per_episode.shape == (30, 3)
    assert np.array_equal(result.per_episode, again.per_episode)
    assert not np.array_equal(result.returns, seen.returns)


def test_the_policy_of_a_toy_cannot_be_exported(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was trained on the toy 'tabular_mdp'; only a robot's policy can leave"):
        export_run(tables, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def adapts_between_episodes(algo: str) -> bool:
    return issubclass(find_algorithm(algo).settings, InnerConfig)


WITHIN = [name for name in algorithm_names() if not adapts_between_episodes(name) and name != "her"]
"""All that needs neither several episodes nor a goal."""


@pytest.mark.parametrize("algo", [name for name in WITHIN if name not in with_discrete_actions()])
def test_what_has_continuous_actions_only_refuses_others(algo: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="continuous actions, and those here are discrete"):
        train(resolve_config(algo, None, [*TINY, "steps=200", "toy.name=bandit"]), tmp_path / "run")


@pytest.mark.parametrize(
    ("algo", "toy"), [(a, t) for a in WITHIN for t in ("wind", "bandit") if t == "wind" or a in with_discrete_actions()]
)
def test_every_algorithm_trains_on_continuous_and_discrete_toys(algo: str, toy: str, tmp_path: Path) -> None:
    config: TrainConfig = resolve_config(algo, None, [*TINY, "steps=200", f"toy.name={toy}", "ppo.bptt=null"])
    policy = train(config, tmp_path / "run")
    assert ("last_reward" in policy.inputs) is (toy == "bandit" and algo not in ("robust", "oracle"))  # type: ignore[operator]
    assert (policy.log_std is None) is (toy == "bandit")


BETWEEN = list(filter(adapts_between_episodes, algorithm_names()))
REFUSED = {"wind": "reports none", "bandit": "take 3 episodes"}


@pytest.mark.parametrize(
    ("algo", "toy"), [(a, t) for a in BETWEEN for t in REFUSED if t == "wind" or a in with_discrete_actions()]
)
def test_what_adapts_between_episodes_by_their_rewards_needs_both(algo: str, toy: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=REFUSED[toy]):
        train(resolve_config(algo, None, [*TINY, "steps=200", f"toy.name={toy}"]), tmp_path / "run")


@pytest.mark.parametrize("algo", BETWEEN)
def test_what_adapts_between_episodes_trains_on_continuous_and_discrete_toys(algo: str, tmp_path: Path) -> None:
    both = (("tabular_mdp", True), ("navigation", False))
    for toy, discrete in both if algo in with_discrete_actions() else both[1:]:
        episodes = [f"toy.name={toy}", "toy.settings.episodes=3"]
        policy = train(resolve_config(algo, None, [*TINY, "trials=2", "steps=1", *episodes]), tmp_path / toy)
        assert set(policy.inputs) <= {"obs", "episode_start"}  # rewards are for adapting, not for acting
        assert (policy.log_std is None) is discrete
