from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.updates import rates_of, rows_of, sizes_of, widened
from sdk.offdynamics.benchmark.problem import find_problems


def test_a_million_updates_and_the_cost_of_a_correction_follow_from_the_rates() -> None:
    rows = {row.name: row.value for row in rows_of({"source_only": 200.0, "darc": 100.0}, "batch 9")}
    assert rows["darc/per_million"] == pytest.approx(1e6 / 100 / 60)
    assert (rows["source_only/cost"], rows["darc/cost"]) == (1.0, 2.0)


def test_arms_are_timed_once_they_learn() -> None:
    (problem,) = find_problems("off-dynamics/lq")
    configs = {arm: problem.run(arm, "dead", 0, Path()).config for arm in ("source_only", "darc_rows")}
    assert sizes_of(configs["darc_rows"]) == "batch 128, 128 × 128"
    assert sizes_of(widened(configs["darc_rows"])) == "batch 128, 256 × 256"
    rates = rates_of(configs, rounds=1)
    assert list(rates) == list(configs)
    assert all(rate > 0 for rate in rates.values())
