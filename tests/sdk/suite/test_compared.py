"""Steps to the same bar: whose are compared, from what was run and from what is on record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.evaluate import Evaluation
from sdk.results import Result, at_least, measured
from sdk.suite.compared import fewer_steps
from sdk.suite.definition import Bar, Benchmark, BenchmarkFile
from sdk.suite.outcome import Trained
from sdk.toys.references.base import Known
from tests.sdk.suite.test_outcome import of_episodes

KNOWN = {"oracle": Known((-1.0,) * 3), "goal_blind": Known((-9.0,) * 3)}


def with_bars() -> Benchmark:
    bar, entries = Bar(gap=0.5).plain(), {"pearl": {"fewer_steps": {"rl2": 10.0}}, "rl2": {}}
    file = of_episodes().file.plain() | {"algorithms": {name: {**entry, "bar": bar} for name, entry in entries.items()}}
    return Benchmark("it", BenchmarkFile.parse(file), "it")


def compared(folder: Path, **steps: list[int | None]) -> list[tuple[float, bool | None]]:
    """Value and verdict for runs that reach the bar at these steps, beside what is on record."""
    runs, nothing = {}, Evaluation(np.zeros(2), np.zeros((2, 3)), np.zeros(2))
    for algo, ends in steps.items():
        curves = [[] if end is None else [{"steps": end, "seconds": 1.0, "mean": -3.0}] for end in ends]
        runs[algo] = [Trained(seed, nothing, curve) for seed, curve in enumerate(curves)]
    return [(row.value, row.holds) for row in fewer_steps(with_bars(), "pearl", runs, KNOWN, folder)]


def on_record(folder: Path, bar: float, *seeds: int, algo: str = "rl2") -> Path:
    """A folder with a results file of three seeds, of which some reached a bar, after 200 steps each."""
    steps = measured(f"it/{algo}/steps_to_the_bar", 200.0, "steps", **{f"seed {seed}": 200.0 for seed in seeds})
    rows = (at_least(f"it/{algo}/total_return", -10.0, "return", bar), steps)
    made = {"benchmark": f"toys_it_{algo}", "command": "x", "commit": "x", "date": "2026-01-01", "machine": {}}
    result = Result.parse({**made, "seeds": [0, 1, 2], "wall_s": 1.0, "rows": [row.plain() for row in rows]})
    folder.mkdir()
    (folder / f"{result.benchmark}.json").write_text(result.model_dump_json())
    return folder


def test_steps_to_the_same_bar_are_compared_where_every_seed_got_there(tmp_path: Path) -> None:
    assert compared(tmp_path, pearl=[10, 30], rl2=[300, 100]) == [(10.0, True)]
    assert compared(tmp_path, pearl=[10, 31], rl2=[300, 100])[0][1] is False
    assert compared(tmp_path, pearl=[10, None], rl2=[300, 100]) == compared(tmp_path, pearl=[10, 30]) == []


def test_other_bars_are_not_compared_by_steps() -> None:
    for other in ({"bar": Bar(gap=0.6).plain()}, {}):
        entries = {"pearl": {"bar": Bar(gap=0.5).plain(), "fewer_steps": {"rl2": 10.0}}, "rl2": other}
        with pytest.raises(ConfigError, match="fewer_steps names algorithms of a toy that have the same bar"):
            BenchmarkFile.parse({**of_episodes().file.plain(), "algorithms": entries})


def test_who_was_not_run_is_compared_as_recorded_if_every_seed_reached_the_same_bar(tmp_path: Path) -> None:
    own: list[int | None] = [10, 30]
    same = on_record(tmp_path / "same", -15.0, 0, 1, 2)
    assert compared(same, pearl=own) == [(10.0, True)]
    assert compared(same, pearl=own, rl2=[300, 300])[0][0] == 15.0, "what was run counts"
    few, lower = on_record(tmp_path / "few", -15.0, 0, 2), on_record(tmp_path / "lower", -16.0, 0, 1, 2)
    for other in (few, lower, on_record(tmp_path / "other", -15.0, 0, 1, 2, algo="varibad")):
        assert compared(other, pearl=own) == []
