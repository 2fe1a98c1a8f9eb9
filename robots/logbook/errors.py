"""What is wrong with a log, where, and what would be right."""

from __future__ import annotations

from pathlib import Path

from domain_rand.schema import ConfigError


class LogError(ConfigError):
    """A log that cannot be used: the file, the row where there is one, what it holds and what is valid."""

    def __init__(self, file: str | Path, what: str, row: int | None = None, valid: str = "") -> None:
        self.file, self.what, self.row, self.valid = str(file), what, row, valid
        place = "" if row is None else f"row {row}: "
        super().__init__(f"{file}: {place}{what}" + (f"; valid: {valid}" if valid else ""))
