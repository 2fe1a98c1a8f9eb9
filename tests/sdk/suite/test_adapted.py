"""What adapting on a robot came to, from returns and reports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from export.manifest import PARITY_TOLERANCE
from sdk.suite.adapted import Rounds, gap_rows, phase_rows, phases, round_rows


def returns(*by_episode: float) -> np.ndarray:
    """Returns of 2 seeds in 50 worlds, around these means, a deviation that all arms share."""
    luck = np.random.default_rng(0).normal(size=(2, 50, 1))
    return np.array(by_episode) + luck


def test_the_episodes_between_two_adaptations_are_one_phase() -> None:
    first, second = phases(returns(1, 3, 5, 9), 2)
    assert (first.shape, second.mean() - first.mean()) == ((2, 50), pytest.approx(5))
    assert len(phases(returns(1, 3, 5), 2)) == 1


def test_the_gap_is_closed_by_phase_and_held_against_its_own_bar() -> None:
    floor, arm, ceiling = returns(0, 0, 0), returns(0, 5, 9), returns(10, 10, 10)
    rows = gap_rows("b/maml", floor, arm, ceiling, 1, {1: 0.6, 2: 0.6})
    assert [row.name for row in rows] == [f"b/maml/gap_after_{k}" for k in range(3)]
    assert [row.value for row in rows] == pytest.approx([0, 0.5, 0.9])
    assert [row.holds for row in rows] == [None, False, True]
    assert [row.value for row in phase_rows("b/maml", arm, 1)] == pytest.approx(list(arm.mean((0, 1))))


def manifest(error: float | None) -> Any:
    return SimpleNamespace(adaptation=None if error is None else SimpleNamespace(max_abs_error=error))


def report(*accepted: bool, modules: tuple[str, ...] = ("numpy",)) -> dict[str, Any]:
    rounds = [{"accepted": one, "milliseconds": 1.0 + k} for k, one in enumerate(accepted)]
    return {"adaptations": rounds, "robot_side_modules": modules}


def test_rounds_are_read_off_the_report_and_the_manifest() -> None:
    assert Rounds.of(report(), manifest(None)) is None
    assert Rounds.of(report(True, False, True), manifest(1e-7)) == Rounds(3, 1, 2.0, 1e-7, False)


def test_a_wrong_graph_and_a_process_with_torch_miss_their_bars() -> None:
    good, bad = (
        Rounds.of(report(True, False), manifest(1e-7)),
        Rounds.of(report(True, True, modules=("torch",)), manifest(2e-5)),
    )
    assert good
    assert bad
    accepted, error, torch = round_rows("b/maml", [good])
    assert (accepted.value, error.holds, torch.holds) == (0.5, True, True)
    accepted, error, torch = round_rows("b/maml", [good, bad])
    assert (accepted.value, error.value, error.holds, torch.holds) == (0.75, 2e-5, False, False)
    assert error.bar == f"<= {PARITY_TOLERANCE:g}"
    assert round_rows("b/robust", []) == []
