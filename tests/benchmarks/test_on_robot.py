"""What the robot's benchmark measures is what it says; times themselves are not asserted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import on_robot_install
from benchmarks.on_robot_install import heavy, runtime_modules, size_mb
from benchmarks.on_robot_line import DROP, PHASES, Dropped, drop_rows, faults, outcome_rows, outside_contract
from benchmarks.on_robot_ticks import Round, deadline_rows, overhead_rows, ratio_rows
from benchmarks.on_robot_widths import wide_bundle
from export.bundle import Bundle
from export.certificate import LoopTimes, TickTimes
from export.control_loop import drive_table
from robots.recordings.files import read_recording
from robots.twin.faults import Faults
from robots.twin.scored import ScoredTrials
from sdk.results import Row
from tests.export.tiny_policy import servo_arm, tiny_bundle

CONTRACT = servo_arm()[0]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_deadlines_become_rows() -> None:
    times = dict.fromkeys(("p50", "p99", "longest", "clean_p50", "clean_p99", "clean_longest"), 10.0)
    counts = {"periods": 21, "ticks": 20, "skipped": 1, "late": 5, "late_by_scheduler": 3, "interrupted": 4}
    rows = by_name(deadline_rows(LoopTimes(rate=500.0, **counts, **times)))
    assert (rows["loop/late"].value, rows["loop/late_by_itself"].value, rows["loop/skipped"].value) == (5, 2, 1)


def one_round(graph: float, numpy: float, torch: float, loop: float) -> Round:
    def times(scale: float) -> dict[str, TickTimes]:
        kinds = {"identity": 1.0, "graph": graph, "policy_step": graph + 10, "numpy": numpy, "torch": torch}
        same = {"paced": False, "ticks": 10, "p50": 999.0, "p99": 999.0, "clean_p99": 999.0, "interrupted": 1}
        return {k: TickTimes(name=k, clean_p50=scale * v, **same) for k, v in kinds.items()}

    return Round(times(1), times(2), loop, 2 * loop)


def test_a_tick_is_held_against_numpy_and_torch_without_interrupted_ticks() -> None:
    rows = by_name(ratio_rows([one_round(10, 20, 60, 30)]))
    numpy, torch = rows["tick/back_to_back/of_numpy"], rows["tick/back_to_back/of_torch"]
    assert (numpy.value, numpy.holds, torch.value, torch.holds) == (0.5, True, 1 / 6, True)
    slower = by_name(ratio_rows([one_round(30, 20, 60, 50)]))
    assert [slower[name].holds for name in ("tick/back_to_back/of_numpy", "tick/back_to_back/of_torch")] == [False] * 2
    assert slower["tick/paced/of_torch"].holds


def test_overhead_is_the_loop_without_its_session_call() -> None:
    rows = by_name(overhead_rows([one_round(10, 20, 60, 35), one_round(10, 20, 60, 39), one_round(10, 20, 60, 90)]))
    assert rows["overhead/back_to_back"].value == 29
    assert rows["overhead/back_to_back"].holds
    assert rows["overhead/back_to_back"].reference == {"policy_step_alone": 10}
    assert not by_name(overhead_rows([one_round(10, 20, 60, 41)]))["overhead/back_to_back"].holds


def test_the_windows_of_the_drop_are_what_the_twin_scores() -> None:
    trials = ScoredTrials("servo_arm", range(1), 0, "held_out", "none", faults=Faults.parse(faults(0.0)))
    trials.begin()
    while trials.running:
        trials.step([0.0])
    (score,) = trials.scores
    trials.close()
    assert score.phase_ticks == (50, 100, 25, 25, 100)
    assert len(score.phase_ticks) == len(PHASES)
    assert DROP % 2 != 0  # episodes are 2 s long: it drops in the middle of one


def dropped(after: float, outside: int = 0) -> Dropped:
    rng = np.random.default_rng(0)
    rewards = np.tile([0.5, 0.8, 0.8, 0.4, after], (20, 1)) * rng.uniform(0.9, 1.1, (20, 1))
    return Dropped(rewards, 200, 10, 100, outside)


def test_recovery_is_reward_after_settling_of_that_before() -> None:
    rows = by_name(outcome_rows("drop/adaptive", dropped(0.72), barred=True))
    recovered = rows["drop/adaptive/recovered"]
    assert recovered.value == pytest.approx(0.9)
    assert (recovered.bar, recovered.holds) == (">= 0.8", True)
    assert rows["drop/adaptive/missed_commands"].value == 0.05
    beside = outcome_rows("drop/robust", dropped(0.2), barred=False)[0]
    assert (beside.value, beside.bar) == (pytest.approx(0.25), None)


def test_who_does_not_recover_or_leaves_the_contract_misses_the_bar() -> None:
    rows = by_name(outcome_rows("drop/adaptive", dropped(0.6, outside=1), barred=True))
    assert rows["drop/adaptive/recovered"].holds is False
    assert rows["drop/adaptive/outside_contract"].holds is False


@pytest.mark.slow
def test_a_bundle_is_driven_over_the_bad_line_and_its_commands_counted(bundle: Bundle) -> None:
    rows = by_name(drop_rows({"adaptive": Path(bundle.source)}, worlds=2))
    assert len(rows) == 2 * 7
    assert rows["drop/adaptive/outside_contract"].holds
    assert 0.05 < rows["drop/adaptive/missed_commands"].value < rows["drop_late_line/adaptive/missed_commands"].value


@pytest.mark.parametrize(("row", "value", "found"), [(5, 10.5, 2), (5, -9.0, 1), (5, float("nan"), 2)])
def test_a_command_outside_limits_or_rate_is_counted(
    bundle: Bundle, tmp_path: Path, row: int, value: float, found: int
) -> None:
    drive_table(bundle, tmp_path / "a.npz", ticks=40)
    recording = read_recording(tmp_path / "a.npz")
    sent = np.full(40, 0.0)
    sent[3:5] = 8.0
    assert outside_contract(replace(recording, sent={"shoulder": sent.copy()})) == 0
    sent[row] = value
    assert outside_contract(replace(recording, sent={"shoulder": sent})) == found


def test_an_episode_starts_from_the_safe_command_and_a_gap_hides_a_change(bundle: Bundle, tmp_path: Path) -> None:
    drive_table(bundle, tmp_path / "a.npz", ticks=10)
    recording = read_recording(tmp_path / "a.npz")
    sent = np.array([9.0] * 5 + [-9.0] * 5)
    starts, gap = np.zeros(10, bool), np.zeros(10, int)
    starts[5], gap[5:] = True, 3
    plain = replace(recording, sent={"shoulder": sent})
    assert outside_contract(plain) == 1
    assert outside_contract(replace(plain, episode_start=starts)) == 0
    assert outside_contract(replace(plain, dropped_before=gap)) == 0


def test_the_runtime_loads_nothing_heavy_and_heaviness_is_noticed() -> None:
    modules = runtime_modules()
    assert {"numpy", "onnxruntime", "pydantic"} <= set(modules)
    assert not heavy(modules)
    assert heavy([*modules, "torch"]) == {"torch"}


def test_size_counts_files_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(bytes(2**20))
    (tmp_path / "link").symlink_to(tmp_path / "a/file")
    assert size_mb(tmp_path) == 1.0


def test_what_is_installed_is_the_source_alone(tmp_path: Path) -> None:
    ignored = on_robot_install.NOT_INSTALLED("", [".git", "runs", "build", "node_modules", "sdk", "pyproject.toml"])
    assert ignored == {".git", "runs", "build", "node_modules"}


def test_a_wider_bundle_is_as_wide_as_it_says(tmp_path: Path) -> None:
    assert [state.shape for state in wide_bundle(128, tmp_path / "wide").manifest.carry] == [(128,)]
