from __future__ import annotations

import pytest

from benchmarks.adaptation_cost import deployable, rows
from sdk.results import Row


def measured(algo: str) -> dict[str, Row]:
    return {row.name.partition("/")[2]: row for row in rows(algo, ticks=3, rounds=2)}


@pytest.mark.slow
def test_what_adapts_by_gradient_has_a_round_and_carries_its_weights_and_what_does_not_has_none() -> None:
    by_gradient, without = measured("gmps"), measured("robust")
    assert set(by_gradient) == {"carried", "tick", "adapt"}
    assert set(without) == {"carried", "tick"}
    assert without["carried"].value == 0
    assert by_gradient["carried"].value > 64 * 64
    assert all(row.value > 0 for name, row in by_gradient.items() if name != "carried")
    assert "gmps" in deployable()
    assert "oracle" not in deployable()
