"""Rows of robots that change, from arms whose returns are known."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.evaluate import Evaluation
from sdk.results import Row
from sdk.suite.arms import Arm
from sdk.suite.changed import adapting_rows, changed_rows, slots_of
from sdk.suite.definition import Benchmark, BenchmarkFile
from sdk.suite.outcome import Trained


def benchmark(**changes: object) -> Benchmark:
    texts = {"title": "t", "paper": "p", "protocol": "x", "ceiling": "oracle", "floor": "robust", "robot": "servo_arm"}
    arms: dict[str, object] = {name: {} for name in ("robust", "rl2", "oracle")}
    return Benchmark("arm", BenchmarkFile.parse({**texts, **changes, "algorithms": arms}), "arm")


CHANGED = benchmark(
    beyond={"heavier": {"params": {"payload_mass": 2.0}}},
    switch={"weakened": {"at": 3.0, "scale": {"motor_gain": 0.5}}},
)


def evaluation(per_slot: np.ndarray) -> Evaluation:
    """Two worlds of 60 slots, one of them luckier for everybody."""
    slots = np.stack([per_slot, per_slot + 0.05])
    episodes = slots.reshape(2, 3, 20).sum(-1)
    return Evaluation(slots.sum(-1), episodes, np.array([1.0, 0.5]), per_slot=slots)


def arm(main: np.ndarray, beyond: float, switched: np.ndarray) -> Arm:
    changed = {"beyond/heavier": evaluation(np.full(60, beyond)), "switch/weakened": evaluation(switched)}
    return Arm([Trained(seed, evaluation(main), [], changed=changed) for seed in (0, 1)])


def halves(before: float, after: float) -> np.ndarray:
    return np.where(np.arange(60) < 30, before, after)


@pytest.fixture(scope="module")
def arms() -> dict[str, Arm]:
    learns = np.full(60, 4.0)
    learns[:7] = 2.0
    recovers = halves(4.0, 3.0)
    recovers[30:34] = 1.0
    return {
        "robust": arm(np.full(60, 1.0), 1.0, halves(1.0, 1.0)),
        "rl2": arm(learns, 2.0, recovers),
        "oracle": arm(np.full(60, 5.0), 3.0, halves(5.0, 4.0)),
    }


def named(rows: list[Row]) -> dict[str, Row]:
    return {row.name.removeprefix("arm/"): row for row in rows}


def test_seconds_to_ninety_percent_are_slots_times_their_length(arms: dict[str, Arm]) -> None:
    slots = slots_of(CHANGED)
    assert (slots.length, slots.episode, slots.trial) == (pytest.approx(0.1), 20, 60)
    (row,) = adapting_rows(CHANGED, "rl2", arms, slots)
    assert (row.name, row.value) == ("arm/rl2/seconds_to_90", pytest.approx(0.7))
    assert row.ci95 == pytest.approx((0.7, 0.7)), "all worlds and seeds alike"
    assert adapting_rows(CHANGED, "robust", arms, slots) == adapting_rows(CHANGED, "oracle", arms, slots) == []


def test_outside_of_training_there_are_return_success_and_gap(arms: dict[str, Arm]) -> None:
    rows = named(changed_rows(CHANGED, "rl2", arms, slots_of(CHANGED)))
    assert rows["rl2/beyond/heavier/total_return"].value == pytest.approx(60 * 2.025)
    assert rows["rl2/beyond/heavier/gap_closed"].value == pytest.approx(0.5)
    assert rows["rl2/beyond/heavier/success"].value == 0.75
    worse = {**arms, "oracle": arms["robust"], "robust": arms["oracle"]}
    assert "rl2/beyond/heavier/gap_closed" not in named(changed_rows(CHANGED, "rl2", worse, slots_of(CHANGED)))


def test_a_switch_has_seconds_before_and_after_and_recovery(arms: dict[str, Arm]) -> None:
    rows = named(changed_rows(CHANGED, "rl2", arms, slots_of(CHANGED)))
    assert rows["rl2/switch/weakened/before"].value == pytest.approx(40.25)
    assert rows["rl2/switch/weakened/after"].value == pytest.approx((4 * 1 + 26 * 3) / 3 + 0.25)
    assert rows["rl2/switch/weakened/recovery"].value == pytest.approx(0.4)
    told = named(changed_rows(CHANGED, "oracle", arms, slots_of(CHANGED)))
    assert "oracle/switch/weakened/recovery" not in told
    assert told["oracle/switch/weakened/after"].value == pytest.approx(40.25)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"switch": {"w": {"at": 0.0, "scale": {"motor_gain": 0.5}}}},
            "switch.w.at is 0 s; valid is above 0, up to 4 s",
        ),
        ({"switch": {"w": {"at": 4.5, "scale": {"motor_gain": 0.5}}}}, "switch.w.at is 4.5 s"),
        ({"beyond": {"w": {"scale": {"motor_gian": 0.5}}}}, "no parameter 'motor_gian'; did you mean 'motor_gain'"),
    ],
)
def test_a_change_that_the_robot_cannot_have_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        slots_of(benchmark(**changes))
