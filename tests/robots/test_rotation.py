from __future__ import annotations

from math import pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robots.rotation import (
    IDENTITY,
    Quat,
    Vec3,
    cross,
    from_yaw,
    inverse,
    matrix,
    multiply,
    rotate,
    rotate_back,
    turn_back,
    yaw_of,
)

coordinate = st.floats(-10, 10)
vectors = st.tuples(coordinate, coordinate, coordinate)


@st.composite
def quaternions(draw: st.DrawFn) -> Quat:
    raw = draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.01))
    x, y, z, w = (value / sqrt(sum(x * x for x in raw)) for value in raw)
    return x, y, z, w


def test_a_quarter_turn_about_each_axis() -> None:
    half = sqrt(0.5)
    assert rotate((half, 0, 0, half), (0, 1, 0)) == pytest.approx((0, 0, 1))
    assert rotate((0, half, 0, half), (0, 0, 1)) == pytest.approx((1, 0, 0))
    assert rotate((0, 0, half, half), (1, 0, 0)) == pytest.approx((0, 1, 0))
    assert from_yaw(pi / 2) == pytest.approx((0, 0, half, half))
    assert yaw_of(from_yaw(-2.5)) == pytest.approx(-2.5)
    assert cross((1, 0, 0), (0, 1, 0)) == (0, 0, 1)


@given(quaternions(), vectors)
def test_back_is_the_inverse_in_three_ways(quat: Quat, vector: Vec3) -> None:
    assert rotate_back(quat, rotate(quat, vector)) == pytest.approx(vector, abs=1e-9)
    assert turn_back(matrix(quat), vector) == pytest.approx(rotate_back(quat, vector), abs=1e-9)
    assert rotate(inverse(quat), vector) == pytest.approx(rotate_back(quat, vector), abs=1e-9)


@given(quaternions(), quaternions(), vectors)
def test_a_product_turns_by_its_right_factor_first(left: Quat, right: Quat, vector: Vec3) -> None:
    assert rotate(multiply(left, right), vector) == pytest.approx(rotate(left, rotate(right, vector)), abs=1e-9)
    assert multiply(left, IDENTITY) == pytest.approx(left)
