"""What a bundle was measured to need on one machine: time of a tick, memory, time to the first action."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

from pydantic import Field

from domain_rand.schema import Schema


class Machine(Schema):
    """Where something was measured."""

    cpu: str
    cores: int = Field(gt=0)
    system: str
    python: str
    onnxruntime: str


class TickTimes(Schema):
    """Durations of one kind of tick [µs]; `clean_*` leave out the `interrupted` ones."""

    name: str
    paced: bool
    ticks: int = Field(gt=0)
    p50: float = Field(ge=0)
    p99: float = Field(ge=0)
    clean_p50: float = Field(ge=0)
    clean_p99: float = Field(ge=0)
    interrupted: int = Field(ge=0)


class ColdStart(Schema):
    """A fresh process: seconds from its start to the first action, and its resident memory [MB] by then."""

    name: str
    first_action_s: float = Field(gt=0)
    memory_mb: float | None = Field(description="unknown where the system does not say")


class LoopTimes(Schema):
    """The whole loop at `rate` [Hz] on one core: of so many periods, which got no command in time, and why.

    `skipped` periods got none, `late` ones of the `ticks` that were driven got it after their end; of these
    `late_by_scheduler` woke late or were interrupted. Times from reading to command [µs]; `clean_*` leave out the
    `interrupted` ticks.
    """

    rate: float = Field(gt=0)
    periods: int = Field(gt=0)
    ticks: int = Field(gt=0)
    skipped: int = Field(ge=0)
    late: int = Field(ge=0)
    late_by_scheduler: int = Field(ge=0)
    interrupted: int = Field(ge=0)
    p50: float = Field(ge=0)
    p99: float = Field(ge=0)
    longest: float = Field(ge=0)
    clean_p50: float = Field(ge=0)
    clean_p99: float = Field(ge=0)
    clean_longest: float = Field(ge=0)


class Certificate(Schema):
    """One measurement of a bundle. It speaks of its machine and date, of no other."""

    date: datetime.date
    machine: Machine
    ticks: tuple[TickTimes, ...]
    starts: tuple[ColdStart, ...]
    loop: LoopTimes | None = None


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    import onnxruntime

    return Machine(
        cpu=cpu_name(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
    )


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
