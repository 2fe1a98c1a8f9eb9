from __future__ import annotations

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.evaluate import Evaluation
from sdk.suite.definition import Bar, Benchmark, BenchmarkFile
from sdk.suite.outcome import Trained, rows
from sdk.toys.references.base import Known

FILE = """
title: t
paper: p
protocol: x
toy: {name: navigation, settings: {episodes: 6}}
ceiling: oracle
floor: goal_blind
adapts_every: 2
algorithms:
  fomaml: {algo: maml, adapted: {1: -5.0, 2: -1.0}, method: {first_order: true}}
"""


@pytest.fixture
def benchmark(tmp_path):  # type: ignore[no-untyped-def]
    path = tmp_path / "it.yaml"
    path.write_text(FILE)
    return Benchmark("it", BenchmarkFile.load(str(path)), "it")


def trained(seed: int) -> Trained:
    """Two attempts before adapting, two after one adaptation, two after two, the same for all of five tasks."""
    per_episode = np.tile([-9.0, -7.0, -4.0, -2.0, -3.0, -2.0], (5, 1)) + 0.1 * np.arange(5)[:, None]
    return Trained(seed, Evaluation(per_episode.sum(1), per_episode, np.zeros(5)), [])


def test_attempts_between_adaptations_count_as_one_and_have_bars(benchmark: Benchmark) -> None:
    known = {"oracle": Known((-1.0,) * 6), "goal_blind": Known((-9.0, -9.0, -8.0, -8.0, -7.0, -7.0))}
    found = {row.name: row for row in rows(benchmark, "fomaml", [trained(0), trained(1)], known)}
    phases = [found[f"it/fomaml/adapted_{k}"] for k in range(3)]
    assert [row.value for row in phases] == pytest.approx([-7.8, -2.8, -2.3])
    assert [row.holds for row in phases] == [None, True, False]
    assert [row.reference["goal_blind"] for row in phases] == [-9.0, -8.0, -7.0]
    assert "it/fomaml/adapted_3" not in found
    assert not any("episode_" in name for name in found)


def of_episodes(**entry: object) -> Benchmark:
    parts = {"title": "t", "paper": "p", "protocol": "x", "ceiling": "oracle", "floor": "goal_blind"}
    toy = {"name": "point_robot", "settings": {"episodes": 3}}
    return Benchmark("it", BenchmarkFile.parse({**parts, "toy": toy, "algorithms": {"pearl": entry}}), "it")


def test_an_episode_may_have_to_close_a_share_of_its_own_gap() -> None:
    known = {"oracle": Known((-1.0, -1.0, -2.0)), "goal_blind": Known((-9.0, -9.0, -12.0))}
    runs = [Trained(0, Evaluation(e.sum(1), e, np.zeros(2)), []) for e in [np.array([[-9.0, -5.0, -3.4]] * 2)]]
    found = {row.name: row for row in rows(of_episodes(episodes={2: 0.6, 3: 0.85}), "pearl", runs, known)}
    assert [found[f"it/pearl/episode_{k}"].bar for k in (1, 2, 3)] == [None, ">= -4.2", ">= -3.5"]
    assert [found[f"it/pearl/episode_{k}"].holds for k in (1, 2, 3)] == [None, False, True]


def test_bars_of_episodes_are_refused_where_adaptations_are_reported(benchmark: Benchmark) -> None:
    data = {**benchmark.file.plain(), "algorithms": {"maml": {"episodes": {1: 0.5}}}}
    with pytest.raises(ConfigError, match="bars of episodes are a toy's"):
        BenchmarkFile.parse(data)


def test_an_entry_may_be_an_algorithm_by_another_name(benchmark: Benchmark) -> None:
    config = benchmark.config("fomaml", seed=0)
    assert config.algo == "maml"
    assert config.method["first_order"] is True


def test_settings_of_a_toy_may_be_an_algorithm_s_own() -> None:
    parts = {"title": "t", "paper": "p", "protocol": "x", "ceiling": "oracle", "adapts_every": None}
    toy = {"name": "tabular_mdp", "settings": {"episodes": 3}}
    entries = {"rl2": {"toy": {"regret": True}}, "snail": {"bar": Bar(value=1.0).plain()}}
    of = Benchmark("it", BenchmarkFile.parse({**parts, "toy": toy, "algorithms": entries}), "it")
    settings = [of.config(algo, 0).toy.settings for algo in entries]  # type: ignore[union-attr]
    assert settings == [{"episodes": 3, "regret": True}, {"episodes": 3}]


def test_a_goal_counts_as_reached_if_one_of_the_first_attempts_came_upon_it(benchmark: Benchmark) -> None:
    known = {"oracle": Known((-1.0,) * 6), "goal_blind": Known((-9.0,) * 6)}
    reached = np.zeros((4, 6))
    reached[0, 0], reached[1, 2], reached[1, 3], reached[2, 3] = 1, 1, 1, 1  # the last of these a fourth attempt's

    def judged(**bars: float) -> tuple[float, bool | None]:
        entry = benchmark.file.algorithms["fomaml"].model_copy(update=bars)
        file = benchmark.file.model_copy(update={"attempts": 3, "algorithms": {"fomaml": entry}})
        evaluation = Evaluation(np.zeros(4), np.zeros((4, 6)), np.zeros(4), reached=reached)
        found = rows(Benchmark("it", file, "it"), "fomaml", [Trained(0, evaluation, [])], known)
        (row,) = [row for row in found if row.name == "it/fomaml/reached_within_3"]
        return row.value, row.holds

    assert judged() == (0.5, None)
    assert judged(reached=0.5) == (0.5, True)
    assert judged(reached=0.6) == (0.5, False)
    assert judged(missed=0.4) == (0.5, False)
