from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from robots import engines
from sdk.checkpoint import CHECKPOINT, RunFolder
from sdk.evaluate import Evaluation, by_episode, evaluate_run
from sdk.rl.rollout import Rollout


def test_a_trial_is_split_at_its_ends_whichever_kind_they_are() -> None:
    zeros = torch.zeros(5, 2)
    parts = dict.fromkeys(Rollout.__dataclass_fields__, zeros)
    reward = torch.arange(10.0).reshape(5, 2)
    terminated, truncated, success = zeros.clone(), zeros.clone(), zeros.clone()
    terminated[1], truncated[4], success[2:4, 0], success[2:, 1] = 1, 1, 1, 1  # world 0 leaves its target at the end
    parts |= {"reward": reward, "terminated": terminated, "truncated": truncated, "success": success}
    result = by_episode(Rollout(**parts))
    assert result.per_episode.tolist() == [[0 + 2, 4 + 6 + 8], [1 + 3, 5 + 7 + 9]]
    assert result.returns.tolist() == [20, 25]
    assert result.success.tolist() == [0, 0.5]
    assert result.reached is not None
    assert result.reached.tolist() == [[0, 1], [0, 1]]  # world 0 was there, and left


def test_worlds_may_end_their_episodes_at_different_steps() -> None:
    parts = dict.fromkeys(Rollout.__dataclass_fields__, torch.zeros(4, 2))
    terminated = torch.tensor([[1.0, 0], [0, 0], [1, 1], [1, 1]])  # three episodes in world 0, two in world 1
    parts |= {"reward": torch.arange(8.0).reshape(4, 2), "terminated": terminated, "success": terminated}
    result = by_episode(Rollout(**parts))
    assert result.per_episode.tolist() == [[0, 2 + 4], [1 + 3 + 5, 7]]
    assert result.returns.tolist() == [12, 16]
    assert result.success.tolist() == [1, 1]


def test_plain_data_reports_the_trial_and_each_episode() -> None:
    plain = Evaluation(np.array([3.0, 9.0]), np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([0.5, 1.0])).plain()
    assert (plain["mean"], plain["per_episode"], plain["success"], plain["worlds"]) == (6.0, [2.0, 4.0], 0.75, 2)
    assert plain["per_episode_ci95"] == [[1.0, 3.0], [2.0, 6.0]]


def test_an_evaluation_repeats_and_reports_its_progress(finished: Path) -> None:
    heard: list[int] = []
    first = evaluate_run(finished, 5, seed=1, report=heard.append)
    assert heard == [4, 5]  # four robots side by side
    assert first.per_episode.shape == (5, 3)
    assert np.array_equal(first.per_episode, evaluate_run(finished, 5, seed=1).per_episode)


def test_fewer_worlds_are_the_first_of_more(finished: Path) -> None:
    few, more = (evaluate_run(finished, worlds, seed=1).per_episode for worlds in (2, 5))
    assert np.allclose(few, more[:2], atol=1e-3)


@pytest.mark.parametrize("change", [{"seed": 2}, {"stream": "train"}, {"effect": "cable"}])
def test_seed_stream_and_effect_make_other_worlds(finished: Path, change: dict) -> None:
    plain: dict = {"seed": 1}
    returns, others = (evaluate_run(finished, 2, **k).returns for k in (plain, plain | change))
    assert not np.isclose(returns, others, atol=1e-3).any()


def test_an_evaluation_in_another_engine_plays_the_same_worlds(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")
    here, there = (evaluate_run(finished, 2, seed=1, engine=engine) for engine in (None, "mujoco"))
    assert np.allclose(here.per_episode, there.per_episode, atol=1e-3)
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "mujoco" else name)
    assert np.array_equal(evaluate_run(finished, 2, seed=1).per_episode, here.per_episode)
    with pytest.raises(ConfigError, match="mujoco is not installed"):
        evaluate_run(finished, 2, seed=1, engine="mujoco")


def test_the_spread_learned_for_exploration_plays_no_part(finished: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(finished, tmp_path / "wide")))
    state = run.load()
    state["policy"]["log_std"] += 3.0
    run.save(state)
    narrow, wide = (evaluate_run(folder, 2, seed=1).per_episode for folder in (finished, run.path))
    assert np.array_equal(narrow, wide)


def test_an_evaluation_leaves_the_run_as_it_was(finished: Path) -> None:
    before = (finished / CHECKPOINT).read_bytes()
    evaluate_run(finished, 2, seed=1)
    assert (finished / CHECKPOINT).read_bytes() == before


def test_an_unknown_effect_names_the_nearest(finished: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown effect 'cabel'; did you mean 'cable'\?"):
        evaluate_run(finished, 2, seed=1, effect="cabel")
