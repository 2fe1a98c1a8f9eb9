from __future__ import annotations

from math import exp

import pytest

from robots.rewards import closeness, effort


def test_closeness_is_one_on_target_and_falls_on_both_sides() -> None:
    assert closeness(0.0, 4.0) == 1.0
    assert closeness(0.5, 4.0) == closeness(-0.5, 4.0) == pytest.approx(exp(-1))
    assert closeness(0.5, 8.0) == pytest.approx(exp(-2))
    assert 0 <= closeness(100.0, 4.0) < 1e-12


def test_effort_is_one_per_joint_at_full_command() -> None:
    assert effort([0.0, 0.0]) == 0.0
    assert effort([1.0, -1.0]) == 2.0
    assert effort([0.5]) == 0.25
