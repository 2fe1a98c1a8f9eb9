"""Training processes of a benchmark and the process that began them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sdk.checkpoint import RunFolder

BEGIN = """
import sys, time
from pathlib import Path
from sdk.config import resolve_config
from sdk.suite.training import Job, _Running

if __name__ == "__main__":
    toy = ["toy.name=wind", "trials=4", "workers=0", "policy.hidden=[4]", "steps=100000000"]
    running = _Running(Job(resolve_config("robust", None, toy), Path(sys.argv[1])))
    print(running._process.pid, flush=True)
    time.sleep(600)
"""


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")


def until(what: str, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_a_run_ends_with_the_benchmark_that_began_it_even_when_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "begin.py"
    script.write_text(BEGIN, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until("training begins", lambda: RunFolder(tmp_path / "run").has_checkpoint)
        assert alive(child)
        parent.kill()
    until("the run ends", lambda: not alive(child), 20.0)
    RunFolder(tmp_path / "run").load()  # whole
