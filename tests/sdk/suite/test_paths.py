from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from sdk.algos.base import Sizes
from sdk.results import read_results
from sdk.rl.rollout import Rollout, collect
from sdk.suite.definition import find_benchmark, find_benchmarks
from sdk.suite.options import Options
from sdk.suite.page import page
from sdk.suite.paths import PLANES, TASKS, Paths, draw_paths, visited, walked
from sdk.suite.run import run_benchmark
from sdk.toys.base import ToyTrials, make_toy
from sdk.train import load_policy
from tests.sdk.untrained import untrained

SETTINGS = {"corner": {"episodes": 2}, "navigation": {"episodes": 3}, "point_robot": {"variant": "oyster"}, "wind": {}}


def played(worlds: ToyTrials, spread: float = 0.5) -> Rollout:
    policy = untrained("rl2", Sizes(2, 2, 2, worlds.reads_reward, False), log_std=float(np.log(spread)))
    return collect(worlds, policy, list(range(TASKS)), seed=0, stream="held_out")


def coloured(path: Path) -> np.ndarray:
    pixels = matplotlib.image.imread(path)[..., :3]
    saturated: np.ndarray = pixels.max(-1) - pixels.min(-1) > 0.3
    return saturated


@pytest.mark.parametrize("toy", PLANES)
def test_every_attempt_of_every_task_is_drawn(toy: str, tmp_path: Path) -> None:
    worlds = make_toy(toy, SETTINGS[toy], size=50, seed=0, stream="held_out")
    _, elsewhere = worlds.begin(range(50))
    paths = Paths.of(toy, played(worlds), worlds.episode_steps, elsewhere)
    draw_paths(tmp_path / "paths.png", paths)
    assert (tmp_path / "paths.png").stat().st_size < 100_000
    shape = (1, TASKS) if worlds.episodes == 1 else (TASKS, worlds.episodes)
    for row in np.array_split(coloured(tmp_path / "paths.png"), shape[0], axis=0):
        for panel in np.array_split(row, shape[1], axis=1):
            assert panel.sum() > 100


def test_a_path_that_stands_still_leaves_less_behind(tmp_path: Path) -> None:
    worlds = make_toy("navigation", SETTINGS["navigation"], size=50, seed=0, stream="held_out")
    _, elsewhere = worlds.begin(range(50))
    inked = []
    for spread in (0.5, 1e-6):
        paths = Paths.of("navigation", played(worlds, spread), worlds.episode_steps, elsewhere)
        draw_paths(tmp_path / "paths.png", paths)
        inked.append(coloured(tmp_path / "paths.png").sum())
    assert inked[1] < inked[0] / 2


def test_a_path_is_where_the_moves_lead_and_ends_where_the_attempt_did() -> None:
    worlds = make_toy("point_robot", {"variant": "pomdp"}, size=TASKS, seed=0, stream="held_out")
    rollout = played(worlds)
    paths = Paths.of("point_robot", rollout, worlds.episode_steps, rollout.context[0].numpy())
    assert paths.places.shape == (TASKS, 2, 61, 2)
    sent = rollout.action.clamp(-1, 1).unflatten(0, (2, 60)).permute(2, 0, 1, 3).numpy()
    np.testing.assert_allclose(np.diff(paths.places, axis=2), 0.1 * sent, atol=1e-5)
    assert not np.isclose(paths.places[:, 0, -1], paths.places[:, 1, 0]).any()
    np.testing.assert_allclose(paths.returns.sum(1), rollout.reward.sum(0), atol=1e-5)


@pytest.mark.parametrize("toy", sorted(set(PLANES) - {"wind"}))
def test_goals_are_those_of_the_worlds(toy: str) -> None:
    worlds = make_toy(toy, SETTINGS[toy], size=50, seed=0)
    _, context = worlds.begin(range(50))
    np.testing.assert_allclose(PLANES[toy].goals(context), worlds.goal, atol=1e-6)  # type: ignore[attr-defined]


def test_attempts_between_two_adaptations_share_a_panel(tmp_path: Path) -> None:
    worlds = make_toy("corner", {"episodes": 6}, size=TASKS, seed=0, stream="held_out")
    rollout = played(worlds)
    sizes = {}
    for together in (1, 3):
        paths = Paths.of("corner", rollout, worlds.episode_steps, rollout.context[0].numpy(), together)
        draw_paths(tmp_path / f"{together}.png", paths)
        sizes[together] = matplotlib.image.imread(tmp_path / f"{together}.png").shape
    assert sizes[1][0] == sizes[3][0]
    assert sizes[1][1] == 3 * sizes[3][1]


TINY = """
title: Tiny
paper: none
protocol: Two attempts.
toy: {name: corner, settings: {episodes: 2}}
tasks: 8
ceiling: oracle
reference_tasks: 20
curve: {tasks: 4, points: 1}
algorithms:
  rl2: {steps: 1600, trials: 8, workers: 0, ppo: {bptt: null, epochs: 1}, policy: {hidden: [8], memory: 8}}
"""


def test_a_benchmark_draws_its_last_checkpoint_on_held_out_tasks_where_the_page_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corner.yaml").write_text(TINY)
    run_benchmark(find_benchmark("corner.yaml"), Options(seeds=(0,)), Console(quiet=True))
    (image,) = Path("docs/images/benchmarks").glob("*_paths.png")
    assert f"(images/benchmarks/{image.name})" in page(read_results(Path("benchmarks/results")))
    run = Path("runs/benchmarks/corner/rl2/seed_0")
    _, policy, _ = load_policy(run)
    worlds = make_toy("corner", {"episodes": 2}, size=TASKS, seed=0, stream="held_out")
    again = collect(worlds, policy, list(range(TASKS)), seed=0, stream="held_out", explore=False)
    np.testing.assert_allclose(walked(run).places[:, 1, -1], again.final_obs[-1], atol=1e-5)


def test_benchmarks_show_paths_where_they_can_be_drawn() -> None:
    shown = {one.file.toy.name for kind in ("toys", "robots") for one in find_benchmarks(kind) if one.shows_paths}  # type: ignore[union-attr]
    assert shown == set(PLANES)


def test_visits_are_counted_before_adapting_only_and_over_attempts_together() -> None:
    corners = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    places = np.zeros((2, 4, 3, 2))
    places[0, 0, 1], places[0, 1, 2], places[0, 2, 1] = (1.6, 1.8), (-2.0, 2.0), (2.0, -2.0)
    paths = Paths("corner", places, np.zeros((2, 4)), corners[:2], np.repeat(corners, 3, 0), together=2)
    assert visited(paths, 0.5).tolist() == [0.5, 0.0]
    assert visited(paths, 0.4).tolist() == [0.25, 0.0]
