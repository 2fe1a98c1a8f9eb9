"""A bundle's rows hold its graphs against the policy, and whoever replays its golden trace against the bar."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.clients import Command
from benchmarks.every_bundle import adapts_by_reward, brief, deployable, parity_rows
from export.bundle import Bundle
from sdk.results import Row
from tests.export.adapting_bundle import adapting_bundle
from tests.export.tiny_policy import tiny_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def client(error: float) -> Command:
    """Return a client that finds this error in any bundle."""
    return [sys.executable, "-c", f"print('{{\"max_abs_error\": {error}}}')"]


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_the_largest_error_of_any_client_counts(tiny: Bundle) -> None:
    row = by_name(parity_rows(tiny, {"node": client(1e-7), "cpp": client(9e-7)}))["rl2/golden"]
    assert (row.value, row.holds) == (9e-7, True)
    assert set(row.reference) == {"python", "node", "cpp"}


def test_one_client_beyond_the_bar_misses_it(tiny: Bundle) -> None:
    assert by_name(parity_rows(tiny, {"node": client(2e-6)}))["rl2/golden"].holds is False


def test_a_graph_that_adapts_has_a_row_of_its_own(tmp_path: Path, tiny: Bundle) -> None:
    adapting = adapting_bundle(tmp_path / "adapting")
    (adapts,) = (row for row in parity_rows(adapting, {}) if row.name.endswith("/adapt"))
    assert adapts.holds
    assert adapts.reference["golden"] <= 1e-5
    assert "rl2/adapt" not in by_name(parity_rows(tiny, {}))


def test_every_algorithm_that_leaves_is_trained_where_it_can() -> None:
    assert {"rl2", "varibad", "pearl", "maml", "maesn", "mmaml", "sac", "her"} <= set(deployable())
    assert "oracle" not in deployable()
    for algo in deployable():
        config = brief(algo)
        assert (config.task == "track_rewarded") is adapts_by_reward(algo)
