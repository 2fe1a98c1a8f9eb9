from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robots.contract import Contract
from robots.signals import BLOCK, SignalPipe


def pipe(**second: Any) -> SignalPipe:
    """A clean scalar signal `a` before a vector signal `b` of two with the settings given, at 50 Hz."""
    return SignalPipe(
        Contract.parse(
            {
                "robot": "r",
                "control_dt": 0.02,
                "joints": [{"name": "j", "pos_limit": [-1, 1], "vel_limit": 5, "torque_limit": 10}],
                "signals": [
                    {"name": "a", "size": 1, "unit": "rad"},
                    {"name": "b", "size": 2, "unit": "rad/s", **second},
                ],
                "action": {"scale": [1], "offset": [0], "rate_limit": [1]},
            }
        )
    )


def readings(pipe: SignalPipe, steps: int, seed: int = 0) -> np.ndarray:
    """What is read while the truth counts the steps: (t, 10 t, 100 t)."""
    pipe.start(np.random.default_rng(seed))
    return np.array([pipe.observe([t, 10.0 * t, 100.0 * t]) for t in range(steps + 1)])


def truth(steps: int) -> np.ndarray:
    return np.outer(np.arange(steps + 1), [1.0, 10.0, 100.0])


def test_a_perfect_sensor_reads_the_truth() -> None:
    read = readings(pipe(), 5)
    assert read.dtype == np.float32
    assert np.array_equal(read, truth(5))


def test_noise_has_the_standard_deviation_asked_for_and_no_mean() -> None:
    steps = 20_000
    noisy = pipe(noise=0.5)
    noisy.start(np.random.default_rng(0))
    error = np.array([noisy.observe([0.0, 0.0, 0.0]) for _ in range(steps)])
    assert np.all(error[:, 0] == 0)
    assert error[:, 1:].std(axis=0) == pytest.approx([0.5, 0.5], rel=0.02)
    assert np.abs(error[:, 1:].mean(axis=0)).max() < 0.015
    assert abs(np.corrcoef(error[:, 1], error[:, 2])[0, 1]) < 0.03
    assert abs(np.corrcoef(error[1:, 1], error[:-1, 1])[0, 1]) < 0.03


def test_bias_shifts_its_signal_only() -> None:
    assert readings(pipe(bias=-0.25), 3) - truth(3) == pytest.approx(np.tile([0, -0.25, -0.25], (4, 1)))


@pytest.mark.parametrize("steps", [1, 3])
def test_a_delay_is_exact_and_begins_with_the_first_reading(steps: int) -> None:
    read = readings(pipe(delay=steps * 0.02), 8)
    late = np.maximum(np.arange(9) - steps, 0)
    assert np.array_equal(read, np.column_stack([np.arange(9), 10 * late, 100 * late]))


def test_noise_is_of_the_moment_of_reading_not_delayed() -> None:
    clean, late = readings(pipe(noise=0.5), 6) - truth(6), readings(pipe(noise=0.5, delay=0.04), 6)
    shown = truth(6)[[0, 0, 0, 1, 2, 3, 4]]
    assert late[:, 1:] - shown[:, 1:] == pytest.approx(clean[:, 1:], abs=1e-4)


def test_an_episode_remembers_nothing_of_the_last() -> None:
    delayed = pipe(delay=0.06)
    readings(delayed, 10)
    delayed.start(np.random.default_rng(0))
    assert delayed.observe([7.0, 8.0, 9.0]).tolist() == [7, 8, 9]


def test_equal_generators_give_equal_noise() -> None:
    noisy = pipe(noise=0.5)
    assert np.array_equal(readings(noisy, 5, seed=1), readings(noisy, 5, seed=1))
    assert not np.array_equal(readings(noisy, 5, seed=1), readings(noisy, 5, seed=2))


def test_a_written_value_acts_from_the_next_start() -> None:
    changed = pipe()
    changed.models["b"].bias = 1.0
    assert readings(changed, 2)[0].tolist() == [0, 1, 1]


def test_readings_come_in_steps_of_the_quantum_noise_included() -> None:
    read = readings(pipe(quantum=0.25, noise=0.1), 50)
    assert np.array_equal(read[:, 1:] % 0.25, np.zeros((51, 2)))
    assert np.array_equal(read[:, 0], np.arange(51))
    assert readings(pipe(quantum=8.0), 2)[:, 1].tolist() == [0, 8, 16]  # of 0, 10, 20: half goes to even


def test_a_slow_sensor_holds_its_reading_noise_included() -> None:
    read = readings(pipe(period=0.06, noise=0.1), 6)
    assert np.array_equal(read[:, 0], np.arange(7))
    assert read[0, 1] == read[1, 1] == read[2, 1] != read[3, 1] == read[4, 1]
    assert read[3, 1] == pytest.approx(30, abs=0.5)


def test_a_slow_and_late_sensor_delivers_what_was_true_before() -> None:
    assert readings(pipe(period=0.04, delay=0.02), 6)[:, 1].tolist() == [0, 0, 10, 10, 30, 30, 50]


def test_a_reading_that_is_missing_leaves_the_last_one() -> None:
    read = readings(pipe(dropout=0.4), 3000)
    missing = np.flatnonzero(read[1:, 1] == read[:-1, 1]) + 1
    assert len(missing) / 3000 == pytest.approx(0.4, abs=0.03)
    assert np.array_equal(read[:, 1] * 10, read[:, 2])  # a signal is lost as a whole
    arrived = np.setdiff1d(np.arange(3001), missing)
    assert np.array_equal(read[arrived, 1], 10.0 * arrived)
    assert np.array_equal(read[:, 0], np.arange(3001))
    assert arrived[0] == 0


def test_noise_does_not_repeat_from_block_to_block() -> None:
    error = readings(pipe(noise=1.0), 4 * BLOCK)[:, 1] - 10 * np.arange(4 * BLOCK + 1)
    blocks = error[: 4 * BLOCK].reshape(4, BLOCK)
    assert np.abs(np.corrcoef(blocks) - np.eye(4)).max() < 0.5


def test_what_is_written_within_an_episode_acts_after_a_refresh() -> None:
    changed = pipe()
    changed.start(np.random.default_rng(0))
    assert changed.observe([1.0, 2.0, 3.0]).tolist() == [1, 2, 3]
    changed.models["b"].bias = 0.5
    assert changed.observe([1.0, 2.0, 3.0]).tolist() == [1, 2, 3]
    changed.refresh()
    assert changed.observe([1.0, 2.0, 3.0]).tolist() == [1, 2.5, 3.5]
