"""The table of all methods: every one has its line, and its numbers are those of the files."""

from __future__ import annotations

import datetime

from sdk.algos.base import algorithm_names
from sdk.results import Result, Row, measured
from sdk.suite.choices import CHOICES
from sdk.suite.page import page
from sdk.suite.systems import COLUMNS, by_attempt, on_device, systems


def rows(*names_and_values: tuple[str, float]) -> dict[str, Row]:
    return {name: measured(name, value, "x") for name, value in names_and_values}


def cells(name: str, table: list[list[str]]) -> dict[str, str]:
    (row,) = [row for row in table if row[0] == f"`{name}`"]
    return dict(zip(COLUMNS, row, strict=True))


def test_every_method_has_a_line_and_a_reason_to_choose_it() -> None:
    assert set(CHOICES) == set(algorithm_names())
    table = systems({}, [])
    assert [row[0] for row in table] == [f"`{name}`" for name in algorithm_names()]
    assert all(row[1] and row[2] and row[-1] and not any(row[3:-1]) for row in table)


def test_a_method_is_shown_where_most_others_are() -> None:
    alone = rows(("total_return", 7.0), ("episode_1", 3.0), ("steps", 5e6))
    common = rows(("total_return", -60.0), ("adapted_0", -40.0), ("adapted_1", -14.26), ("steps", 16e6))
    recorded = {"corner": {"maml": alone}, "navigation": {"maml": common, "gmps": common, "promp": common}}
    shown = cells("maml", systems(recorded, []))
    assert shown["measured on"] == "navigation"
    assert shown["steps to train"] == "16 M"
    assert shown["return by attempt"] == "-40, -14.3"
    assert cells("rl2", systems(recorded, []))["return by attempt"] == ""


def test_a_trial_of_one_attempt_is_its_total_and_many_attempts_are_cut() -> None:
    assert by_attempt(rows(("total_return", 6.649))) == "6.649 in all"
    assert by_attempt(rows(*((f"episode_{k}", float(k)) for k in range(1, 7)))) == "1, 2, 3, 4, …"
    assert by_attempt({}) == ""


def test_the_gap_closed_is_that_of_every_robot_and_of_no_toy() -> None:
    gap, none = rows(("total_return", 1.0), ("gap_closed", 0.924)), rows(("total_return", 1.0))
    recorded = {"cartpole": {"rl2": gap, "robust": none}, "servo_arm": {"rl2": gap}, "navigation": {"rl2": gap}}
    table = systems(recorded, [])
    assert cells("rl2", table)["gap closed on robots"] == "cartpole 92%, servo_arm 92%"
    assert cells("robust", table)["gap closed on robots"] == cells("maml", table)["gap closed on robots"] == ""


def test_the_cost_on_a_device_is_that_of_its_file() -> None:
    found = rows(("maml/tick", 21.15), ("maml/adapt", 0.374), ("maml/carried", 5572.0), ("rl2/tick", 9.0))
    found |= rows(("rl2/carried", 64.0))
    assert on_device("maml", found) == "21.1 µs a tick, 0.37 ms between episodes; carries 5572"
    assert on_device("rl2", found) == "9 µs a tick; carries 64"
    assert on_device("snail", found) == ""


def test_the_page_begins_with_the_table() -> None:
    found = (measured("gmps/tick", 20.0, "µs"), measured("gmps/carried", 10.0, "numbers"))
    facts = {"command": "c", "commit": "abc", "date": datetime.date(2026, 1, 1), "machine": {"cpu": "x", "cores": 1}}
    result = Result(benchmark="adaptation_cost", seeds=(0,), wall_s=1.0, rows=found, **facts)  # type: ignore[arg-type]
    lines = page([result]).splitlines()
    (line,) = [line for line in lines if line.startswith("| `gmps` |")]
    assert "20 µs a tick; carries 10" in line
    assert lines.index(line) < lines.index("## adaptation_cost")
