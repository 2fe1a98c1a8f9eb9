from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cross_engine import CONTROL, kept, open_loop, play, rows_of

pytest.importorskip("mujoco", reason="the extra [mujoco] is not installed")


def test_the_same_actions_carry_apart_what_the_engines_solve_differently_and_nothing_else() -> None:
    assert open_loop("servo_arm", 2).value < 1e-9
    assert open_loop("double_pendulum", 2).value > 1e-4


def test_the_control_loses_nothing_and_other_worlds_are_others() -> None:
    found = play(CONTROL, 2)
    assert found["pybullet"] == pytest.approx(found["mujoco"], abs=1e-6)
    assert abs(found["pybullet"][0] - found["pybullet"][1]) > 1.0


def test_a_drop_is_what_pybullet_pays_more() -> None:
    rows = {
        row.name: row.value for row in rows_of("x", {"pybullet": np.array([3.0, 5.0]), "mujoco": np.array([2.0, 4.5])})
    }
    assert rows == {"x/pybullet": 4.0, "x/mujoco": 3.25, "x/drop": 0.75}


def test_memory_keeps_more_where_it_loses_less_and_where_it_has_more_left() -> None:
    robust = {"pybullet": np.array([3.0, 5.0]), "mujoco": np.array([2.0, 4.0])}
    adaptive = {"pybullet": np.array([2.0, 3.0]), "mujoco": np.array([1.5, 2.5])}
    rows = {row.name: (row.value, row.holds) for row in kept("x", robust, adaptive)}
    assert rows == {"x/adaptive_loses_less": (0.5, True), "x/adaptive_has_more_left": (-1.0, False)}
