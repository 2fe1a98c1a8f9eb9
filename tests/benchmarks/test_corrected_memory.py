from __future__ import annotations

import numpy as np
import pytest

from benchmarks.corrected_memory import ARMS, EFFECT, WHERE, config_of, rows_of


def test_arms_differ_in_the_correction_and_in_where_they_are_trained() -> None:
    uncorrected, corrected, there = (config_of(arm, 1, 1000) for arm in ARMS)
    assert corrected.reward_correction is not None
    assert corrected.reward_correction.target.effect == EFFECT
    assert corrected.model_copy(update={"reward_correction": None}) == uncorrected
    assert there.dynamics is not None
    assert there.dynamics.effect == EFFECT
    assert there.model_copy(update={"dynamics": None}) == uncorrected


def test_a_correction_is_judged_in_the_target_alone() -> None:
    worlds = np.random.default_rng(0).normal(size=(2, 50))
    played = {(arm, where): worlds + 9.0 for arm in ARMS for where in WHERE}
    played |= {
        ("uncorrected", "target"): worlds,
        ("corrected", "target"): worlds + 1.0,
        ("there", "target"): worlds + 4,
    }
    rows = {row.name: row for row in rows_of(played)}
    assert rows["gain"].value == pytest.approx(1.0)
    assert rows["gain"].holds
    assert rows["gap_closed"].value == pytest.approx(0.25)
    assert rows["gate"].value == 1.0


def test_a_correction_that_loses_is_not_kept() -> None:
    worlds = np.random.default_rng(0).normal(size=(2, 50))
    played = {(arm, where): worlds for arm in ARMS for where in WHERE} | {("corrected", "target"): worlds - 1.0}
    rows = {row.name: row for row in rows_of(played)}
    assert (rows["gain"].holds, rows["gate"].value) == (False, 0.0)
