from __future__ import annotations

from sdk.identify.settings import Settings
from sdk.identify.stages import JUDGES, Stages, plan


def test_the_total_only_shrinks_and_is_met_at_the_end() -> None:
    said: list[tuple[str, int, int]] = []
    stages = Stages({"look": 5, "fit": 100, "judge": 10}, lambda *now: said.append(now))
    stages.count(5)
    stages.begin("fit")
    stages.count(35)
    stages.begin("judge")
    stages.count(45)
    assert said == [("look", 5, 115), ("fit", 35, 115), ("judge", 45, 45)]


def test_a_stage_that_needs_more_than_planned_is_not_past_its_end() -> None:
    said: list[int] = []
    Stages({"fit": 10}, lambda what, done, most: said.append(most)).count(12)
    assert said == [12]


def test_the_plan_counts_what_the_method_simulates() -> None:
    exact = plan(Settings(particles=50, rounds=3), 4, 2)
    assert exact["what the logs can tell"] == 9 + 8
    assert (exact["posterior"], exact["validation"]) == (150, JUDGES + 8)
    assert plan(Settings(method="simopt"), 4, 2)["posterior"] == 0
    assert plan(Settings(method="npe", simulations=300), 4, 2)["posterior"] == 300
