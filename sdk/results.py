"""Results are files: every figure the project claims, the command that wrote it and the bar it was held against."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from export.certificate import cpu_name
from sdk.statistics import Estimate

RESULTS = Path("benchmarks/results")


class Row(Schema):
    """One measured number; `bar` says in words what it had to reach and `holds` whether it did."""

    name: str
    value: float
    ci95: tuple[float, float] | None = None
    unit: str
    reference: dict[str, float] = {}
    bar: str | None = None
    holds: bool | None = None


class Result(Schema):
    """One results file."""

    benchmark: str
    command: str
    commit: str
    date: datetime.date
    machine: dict[str, str | int]
    seeds: tuple[int, ...]
    wall_s: float = Field(ge=0)
    rows: tuple[Row, ...]


def at_least(name: str, value: float | Estimate, unit: str, bar: float | None, **reference: float) -> Row:
    """Return a row that holds when its value is no smaller than `bar`; without one, `measured`."""
    if bar is None:
        return measured(name, value, unit, **reference)
    return _barred(name, value, unit, f">= {bar:g}", _value(value) >= bar, reference)


def at_most(name: str, value: float | Estimate, unit: str, bar: float | None, **reference: float) -> Row:
    """Return a row that holds when its value is no larger than `bar`; without one, `measured`."""
    if bar is None:
        return measured(name, value, unit, **reference)
    return _barred(name, value, unit, f"<= {bar:g}", _value(value) <= bar, reference)


def measured(name: str, value: float | Estimate, unit: str, **reference: float) -> Row:
    """Return a row without a bar."""
    return _barred(name, value, unit, None, None, reference)


def write_result(benchmark: str, command: str, seeds: list[int], wall_s: float, rows: list[Row]) -> Path:
    """Write `benchmarks/results/<benchmark>.json`, stamped with commit, date and machine; returns the path."""
    result = Result(
        benchmark=benchmark,
        command=command,
        commit=commit(),
        date=datetime.date.today(),
        machine={"cpu": cpu_name(), "cores": os.cpu_count() or 1, "python": platform.python_version()},
        seeds=tuple(seeds),
        wall_s=round(wall_s, 1),
        rows=tuple(rows),
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{benchmark}.json"
    path.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def read_results(folder: Path = RESULTS) -> list[Result]:
    """Read all results files; raises `ConfigError` naming a file that does not parse, or an empty folder."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ConfigError(f"{folder} holds no results; run this in the project's folder, after make bench")
    return [Result.load(path) for path in paths]


def table(results: list[Result]) -> list[dict[str, Any]]:
    """Return one plain row for each measured number of all files."""
    return [{"benchmark": result.benchmark, **facts(row)} for result in results for row in result.rows]


def facts(row: Row) -> dict[str, Any]:
    """Return a measured number as a row to print."""
    return {
        "name": row.name,
        "value": row.value,
        "ci95": row.ci95 or "",
        "unit": row.unit,
        "bar": row.bar or "",
        "holds": "" if row.holds is None else row.holds,
    }


def section(result: Result) -> list[str]:
    """Return the lines of one file's section in the documentation: one line a number."""
    cpu, cores = result.machine["cpu"], result.machine["cores"]
    return [
        f"## {result.benchmark}",
        "",
        f"`{result.command}` at {result.commit}, {result.date}, {cores} cores ({cpu}), {result.wall_s:.0f} s.",
        "",
        "| what | value | 95 % interval | unit | beside | bar | holds |",
        "|---|---|---|---|---|---|---|",
        *(_markdown_row(row) for row in result.rows),
        "",
    ]


def _markdown_row(row: Row) -> str:
    interval = f"{row.ci95[0]:.4g} to {row.ci95[1]:.4g}" if row.ci95 else ""
    beside = ", ".join(f"{name} {value:.4g}" for name, value in row.reference.items())
    holds = {None: "", True: "yes", False: "**no**"}[row.holds]
    return f"| {row.name} | {row.value:.4g} | {interval} | {row.unit} | {beside} | {row.bar or ''} | {holds} |"


def _barred(
    name: str, value: float | Estimate, unit: str, bar: str | None, holds: bool | None, reference: dict[str, float]
) -> Row:
    ci95 = (value.low, value.high) if isinstance(value, Estimate) else None
    return Row(name=name, value=_value(value), ci95=ci95, unit=unit, reference=reference, bar=bar, holds=holds)


def _value(value: float | Estimate) -> float:
    return value.value if isinstance(value, Estimate) else float(value)


def commit(folder: Path = Path()) -> str:
    """Return the commit that `folder` is at, marked where code differs from it; results and pages may."""
    changed = _git(folder, "status", "--porcelain", "--", ".", ":!benchmarks/results", ":!docs")
    return (_git(folder, "rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    ).stdout.strip()
