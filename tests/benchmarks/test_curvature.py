from __future__ import annotations

import pytest

from benchmarks.curvature import rows


def test_only_dice_is_right_about_two_steps_and_it_varies_the_most() -> None:
    maml, promp, dice = rows(2)
    assert dice.reference["error"] < 1e-12 < 0.05 < promp.reference["error"] < maml.reference["error"]
    assert dice.value > 2 * promp.value


def test_for_one_step_the_ratio_is_dice() -> None:
    _, promp, dice = rows(1)
    assert promp.reference["error"] < 1e-12
    assert promp.value == pytest.approx(dice.value)
