"""A clean export, twice, in two processes that share nothing: the same zip, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from tests.export.tiny_policy import export_tiny
export_tiny(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_two_processes_export_equal_bytes(tmp_path: Path) -> None:
    written = []
    for seed, place in (("0", "here"), ("1", "elsewhere")):
        (tmp_path / place).mkdir()
        destination = tmp_path / place / "bundle.zip"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"}
        command = [sys.executable, "-c", PROGRAM, str(destination)]
        subprocess.run(command, cwd=tmp_path / place, env=environment, check=True, timeout=120)
        written.append(destination.read_bytes())
    assert written[0] == written[1]
