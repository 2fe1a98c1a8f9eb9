"""`simshift` as a test calls it: in this process, as `main` would from a shell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sdk import cli


class Result(NamedTuple):
    code: int
    out: str
    err: str


Simshift = Callable[..., Result]


def command_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Simshift:
    """Return a function that runs the command line with the given arguments."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["simshift", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        code = stop.value.code
        return Result(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run
