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


class Certificate(Schema):
    """One measurement of a bundle. It speaks of its machine and date, of no other."""

    date: datetime.date
    machine: Machine
    ticks: tuple[TickTimes, ...]
    starts: tuple[ColdStart, ...]


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
