"""The headline page shows what is recorded, and no column where nothing is."""

from __future__ import annotations

import datetime

from sdk.results import Result, Row, measured
from sdk.statistics import Estimate
from sdk.suite.headline import headline


def result(algo: str, total: float, *rows: Row) -> Result:
    facts = {"command": "c", "commit": "abc", "date": datetime.date(2026, 1, 1), "machine": {"cpu": "x", "cores": 1}}
    first = measured(f"servo_arm/{algo}/total_return", Estimate(total, total - 1, total + 1), "return of a trial")
    name = f"robots_servo_arm_{algo}"
    return Result(benchmark=name, seeds=(0,), wall_s=1.0, rows=(first, *rows), **facts)  # type: ignore[arg-type]


def row(name: str, value: float) -> Row:
    return measured(f"servo_arm/{name}", value, "x")


OLD = [result("oracle", 9.0), result("rl2", 7.0, row("rl2/gap_closed", 0.75)), result("robust", 8.0)]


def lines_of(results: list[Result]) -> list[str]:
    return [line for line in headline(results).splitlines() if line.startswith("|")]


def test_floor_first_ceiling_last_and_only_columns_that_something_is_in() -> None:
    assert lines_of(OLD) == [
        "| arm | return | gap closed |",
        "| --- | --- | --- |",
        "| `robust` | 8 [7, 9] |  |",
        "| `rl2` | 7 [6, 8] | 75% |",
        "| `oracle` | 9 [8, 10] |  |",
    ]
    assert "Outside of training" not in headline(OLD)


def test_seconds_worlds_outside_of_training_and_switches() -> None:
    changed = [
        row("rma/seconds_to_90", 0.4),
        row("rma/beyond/heavier_payload/total_return", 5.0),
        row("rma/beyond/heavier_payload/gap_closed", 0.5),
        row("rma/switch/motor_weakened/before", 40.0),
        row("rma/switch/motor_weakened/after", 30.0),
        row("rma/switch/motor_weakened/recovery", 0.5),
    ]
    lines = lines_of([*OLD, result("rma", 8.5, *changed)])
    assert lines[0] == "| arm | return | gap closed | s to 90 % |"
    assert lines[4] == "| `rma` | 8.5 [7.5, 9.5] |  | 0.4 |", "between the floor and the ceiling by return"
    assert lines[6:] == [
        "| arm | heavier payload |",
        "| --- | --- |",
        "| `rma` | 5, gap 50% |",
        "| arm | motor weakened after 3 s |",
        "| --- | --- |",
        "| `rma` | 40 → 30, 0.5 s |",
    ]


def test_no_share_of_episodes_is_negative_or_more_than_all_of_them() -> None:
    wide = Estimate(0.9, 0.61, 1.19)
    success, gap = (measured(f"servo_arm/rl2/{name}", wide, "x") for name in ("success", "gap_closed"))
    (line,) = [line for line in lines_of([OLD[0], result("rl2", 7.0, success, gap), OLD[2]]) if "rl2" in line]
    assert line == "| `rl2` | 90% [61%, 100%] | 7 [6, 8] | 90% [61%, 119%] |"
