from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.narrowing import Budget, epopt_bars, epopt_rows, worth_bars


def test_the_bars_are_those_of_the_worst_tenth_and_of_the_mean() -> None:
    worlds = np.linspace(0.0, 100.0, 101)
    rows = {row.name: row for row in epopt_bars(np.stack([worlds, worlds]), np.stack([worlds + 4, worlds + 2]))}
    assert rows["hopper/uniform/p10"].value == pytest.approx(10.0)
    assert rows["hopper/epopt/p10"].value == pytest.approx(13.0)
    assert rows["hopper/epopt/p10"].bar == ">= 13"
    assert rows["hopper/epopt/mean"].bar == ">= 47.5"
    assert rows["hopper/epopt/mean"].holds
    assert rows["hopper/uniform/worst_share"].value == pytest.approx(0.2)


def test_narrowing_is_compared_in_the_same_worlds() -> None:
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(2, 50)), rng.normal(size=(2, 50))
    played = {("robust", "wide", "narrow"): near, ("robust", "narrow", "narrow"): near + 1.0}
    played |= {("rl2", "wide", "narrow"): near, ("rl2", "narrow", "narrow"): near - 1.0}
    played |= {("robust", "wide", "wide"): far, ("rl2", "wide", "wide"): far, ("rl2", "narrow", "wide"): far + 0.5}
    rows = {row.name: row for row in worth_bars(played)}
    assert (rows["robust/gain_near"].value, rows["robust/gain_near"].holds) == (pytest.approx(1.0), True)
    assert (rows["rl2/gain_near"].value, rows["rl2/gain_near"].holds) == (pytest.approx(-1.0), False)
    assert rows["rl2/over_robust_outside"].holds


@pytest.mark.slow
def test_the_hopper_is_trained_both_ways_and_played(tmp_path: Path) -> None:
    rows = epopt_rows(Budget((0,), 8000, 2, tmp_path), Console(quiet=True))
    uniform = [f"hopper/uniform/{what}" for what in ("p10", "mean", "worst_share")]
    assert [row.name for row in rows][::2] == uniform
    assert all(np.isfinite(row.value) for row in rows)
