"""Results files: bars hold or not by arithmetic, files re-read, the page shows a miss as a miss."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from domain_rand.schema import ConfigError
from sdk import results
from sdk.results import at_least, at_most, commit, measured, read_results, section, table, write_result
from sdk.statistics import Estimate


def test_bars_hold_at_the_bar_and_fail_beyond_it() -> None:
    assert at_least("a", 0.7, "share", 0.7).holds is True
    assert at_least("a", 0.69, "share", 0.7).holds is False
    assert at_most("a", 1e-5, "error", 1e-5).holds is True
    assert at_most("a", 2e-5, "error", 1e-5).holds is False
    assert measured("a", 1.0, "s").holds is None


def test_a_written_file_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    rows = [at_least("gap", Estimate(0.8, 0.7, 0.9), "share", 0.7, ceiling=1.0), at_most("late", 3, "ticks", 0)]
    path = write_result("job", "python -m job", [0, 1], 12.34, rows)
    (read,) = read_results(tmp_path)
    assert path.name == "job.json"
    assert read.rows == tuple(rows)
    assert read.seeds == (0, 1)
    assert [row["holds"] for row in table([read])] == [True, False]
    assert "| late | 3 |  | ticks |  | <= 0 | **no** |" in section(read)
    assert "| gap | 0.8 | 0.7 to 0.9 | share | ceiling 1 | >= 0.7 | yes |" in section(read)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make bench"):
        read_results(tmp_path)


def test_a_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"benchmark": "x", "comand": "y"}')
    with pytest.raises(ConfigError, match="comand"):
        read_results(tmp_path)


def test_the_commit_is_marked_when_code_differs_from_it_and_not_when_results_do(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    code, result = tmp_path / "code.py", tmp_path / "benchmarks/results/a.json"
    result.parent.mkdir(parents=True)
    code.write_text("")
    git("add", "code.py")
    git("commit", "-m", "Code")
    clean = commit(tmp_path)
    result.write_text("{}")
    assert commit(tmp_path) == clean
    code.write_text("1")
    assert commit(tmp_path) == f"{clean}-dirty"


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
