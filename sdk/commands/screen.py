"""What every command prints with: results to standard output, progress and mistakes to standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

out = Console(markup=False)
err = Console(stderr=True, markup=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines instead of a table.")]
Seed = Annotated[int, typer.Option(help="Seed; everything random follows from it.")]


def show(data: Any, as_json: bool, otherwise: Callable[[], object]) -> None:
    """Print data as one JSON value, or let `otherwise` print it for people."""
    if as_json:
        print(json.dumps(data, default=str))
    else:
        otherwise()


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows under the first one's keys; the first column, what a row is about, is never cut."""
    drawn = Table(title=title, title_justify="left")
    for column in rows[0] if rows else ():
        longest = 0 if drawn.columns else max(len(_cell(row[column])) for row in rows)
        drawn.add_column(column, overflow="fold", min_width=longest or None)
    for row in rows:
        drawn.add_row(*[_cell(value) for value in row.values()])
    out.print(drawn)


def say(text: str) -> None:
    """Print a sentence in one piece, so that a path or command in it can be copied."""
    out.print(text, soft_wrap=True, highlight=False)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return " ".join(f"{k}={_cell(v)}" for k, v in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, list | tuple) else str(value)
