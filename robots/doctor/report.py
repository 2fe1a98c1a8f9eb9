"""A diagnosis: checks, each with its findings; a finding says where, what, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or (`wrong` false) that may be meant but is worth a look."""

    where: str
    message: str
    advice: str
    wrong: bool = True


@dataclass(frozen=True)
class Check:
    """One check of one robot; `note` says what was measured, or why the check was skipped."""

    name: str
    meaning: str
    findings: tuple[Finding, ...] = ()
    note: str = ""
    skipped: bool = False

    @property
    def verdict(self) -> Verdict:
        if self.skipped:
            return "skipped"
        if any(finding.wrong for finding in self.findings):
            return "wrong"
        return "warning" if self.findings else "ok"


@dataclass(frozen=True)
class Diagnosis:
    """All checks of a robot, in the order they were made."""

    robot: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; warnings are allowed."""
        return all(check.verdict != "wrong" for check in self.checks)

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data."""
        checks = [
            {
                "check": check.name,
                "meaning": check.meaning,
                "verdict": check.verdict,
                "note": check.note,
                "findings": [asdict(finding) for finding in check.findings],
            }
            for check in self.checks
        ]
        return {"robot": self.robot, "healthy": self.healthy, "checks": checks}


class Skipped(Exception):
    """A check does not apply to this robot; the message says why."""


class Notes(list[Finding]):
    """Findings as a check makes them, with a note of what was measured."""

    note = ""

    def wrong(self, where: str, message: str, advice: str) -> None:
        """Add something that must be mended."""
        self.append(Finding(where, message, advice))

    def warn(self, where: str, message: str, advice: str) -> None:
        """Add something that may be meant."""
        self.append(Finding(where, message, advice, wrong=False))
