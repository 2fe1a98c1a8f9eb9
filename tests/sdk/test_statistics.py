from __future__ import annotations

import numpy as np
import pytest

from sdk.statistics import (
    MANY,
    gap_closed,
    mean_ci95,
    seeds_by_tasks_ci95,
    seeds_by_tasks_gap_closed,
    seeds_by_tasks_statistic,
)


def test_the_interval_covers_the_true_mean_95_times_in_a_hundred() -> None:
    rng = np.random.default_rng(0)
    intervals = [mean_ci95(rng.exponential(2.0, size=60)) for _ in range(200)]
    covered = np.mean([e.low <= 2.0 <= e.high for e in intervals])
    assert 0.90 <= covered <= 0.985


def test_the_interval_is_as_wide_as_the_central_limit_says() -> None:
    samples = np.random.default_rng(1).normal(5, 3, size=400)
    estimate = mean_ci95(samples)
    assert estimate.value == pytest.approx(samples.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * samples.std() / 20, rel=0.05)


def test_the_same_samples_give_the_same_interval() -> None:
    samples = np.random.default_rng(2).normal(size=30)
    assert mean_ci95(samples) == mean_ci95(samples.copy())


def test_gap_closed_by_hand() -> None:
    robust, adaptive, oracle = np.array([[1.0, 3.0], [4.0, 6.0], [5.0, 7.0]])
    assert gap_closed(robust, adaptive, oracle).value == pytest.approx(3 / 4)
    assert gap_closed(robust, robust, oracle).value == 0
    assert gap_closed(robust, oracle, oracle).value == 1


def test_arms_are_resampled_together_since_they_played_the_same_worlds() -> None:
    hardness = np.random.default_rng(3).normal(0, 100, size=50)
    estimate = gap_closed(hardness, hardness + 3, hardness + 4)
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((0.75, 0.75, 0.75))


def test_an_estimate_as_plain_data_and_as_text() -> None:
    estimate = mean_ci95(np.array([2.0, 2.0, 2.0]))
    assert estimate.plain() == {"mean": 2.0, "ci95": [2.0, 2.0]}
    assert str(estimate) == "2.0 [2.0, 2.0]"


def test_many_samples_have_the_interval_of_the_bootstrap() -> None:
    samples = np.random.default_rng(4).exponential(2.0, size=MANY)
    normal, resampled = mean_ci95(samples), mean_ci95(samples[:-1])
    assert (normal.low, normal.high) == pytest.approx((resampled.low, resampled.high), abs=0.01)


def test_an_interval_over_seeds_by_hand() -> None:
    returns = np.array([[1.0], [2.0], [6.0]]) + np.zeros((1, 50))  # tasks do not differ
    estimate = seeds_by_tasks_ci95(returns)
    half = 4.303 * np.std([1, 2, 6], ddof=1) / 3**0.5
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((3.0, 3.0 - half, 3.0 + half))


def test_of_one_seed_only_the_tasks_are_known() -> None:
    returns = np.random.default_rng(5).normal(size=(1, 60))
    assert seeds_by_tasks_ci95(returns) == mean_ci95(returns[0])


def test_where_there_is_no_gap_none_is_closed() -> None:
    same = np.full(4, -1000.0)
    for adaptive in (same, same + 5):
        estimate = gap_closed(same, adaptive, same)
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert gap_closed(same, same - 5, same - 10).value == 0  # not half: the oracle is the worst of them
    found_once = np.array([-1000.0, -1000.0, -1000.0, -990.0])  # many resamples leave that world out
    assert np.isfinite(seeds_by_tasks_gap_closed(*np.stack([[same, same], [same, found_once], [same, found_once]])).low)


def test_the_gap_closed_over_seeds_by_hand() -> None:
    hardness = np.random.default_rng(6).normal(0, 100, size=(1, 50))
    robust, oracle = hardness + np.zeros((3, 1)), hardness + 10 * np.ones((3, 1))
    adaptive = hardness + np.array([[5.0], [6.0], [10.0]])
    estimate = seeds_by_tasks_gap_closed(robust, adaptive, oracle)
    half = 4.303 * np.std([0.5, 0.6, 1.0], ddof=1) / 3**0.5
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.7, 0.7 - half, 0.7 + half))


def test_a_statistic_of_mean_series_has_the_intervals_of_means_and_of_the_gap() -> None:
    rng = np.random.default_rng(4)
    robust, adaptive, oracle = (rng.normal(mean, 1, size=(3, 40)) for mean in (0, 3, 4))
    mean, known = seeds_by_tasks_statistic(lambda x: x, adaptive), seeds_by_tasks_ci95(adaptive)
    assert (mean.value, mean.low, mean.high) == pytest.approx((known.value, known.low, known.high))
    series = np.stack([robust, adaptive, oracle], axis=-1)
    gap = seeds_by_tasks_statistic(lambda x: (x[:, 1] - x[:, 0]) / (x[:, 2] - x[:, 0]), series)
    same = seeds_by_tasks_gap_closed(robust, adaptive, oracle)
    assert (gap.value, gap.low, gap.high) == pytest.approx((same.value, same.low, same.high))
