from __future__ import annotations

import numpy as np
import pytest

from robots.identification.segments import Run, cut
from sdk.identify.prediction import end_rmse, forecast, summary
from tests.robots.logbook.sine_log import sine_log


def test_a_right_forecast_covers_nine_tenths_and_a_narrow_one_does_not() -> None:
    segments = cut([Run(sine_log(40.0, dt=0.01))], 0.3, 0.01)
    rng = np.random.default_rng(0)
    sd = 0.05
    worlds = segments.target + sd * rng.standard_normal((30, 1, 1))  # all outputs of a world err alike
    shifted = worlds + sd * rng.standard_normal(segments.target.shape)
    covariance = sd**2 * np.eye(segments.target.shape[1])
    right = forecast(shifted, covariance, segments, rng)
    assert 0.9 <= right.covered <= 1.0
    narrow = forecast(shifted[:1], 1e-6 * covariance, segments, rng)
    assert narrow.covered < 0.2


def test_errors_are_those_at_the_end() -> None:
    segments = cut([Run(sine_log(4.0))], 0.3, 0.005)
    outputs = segments.target + np.array([9.0, 9.0, 9.0, 9.0, 0.1, 0.2])
    assert end_rmse(outputs, segments) == pytest.approx([0.1, 0.2])
    exact = forecast(segments.target[None], 1e-8 * np.eye(6), segments, np.random.default_rng(0))
    facts = summary(exact, outputs)
    assert facts["rmse"] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert facts["nominal"] == pytest.approx([0.1, 0.2])
    assert min(facts["no_motion"]) > 0.05
