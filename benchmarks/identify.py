"""Worlds identified from logs: of real machines, judged on other runs, and of simulations whose truth is known.

    python -m benchmarks.identify c0 a0 xl330 pendulum truth [--logs FOLDER] [--jobs N]

Each part writes `benchmarks/results/identify_<part>.json`. The real logs are not part of the project; without them the
parts that need them are skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.identify_chain import build_rows
from benchmarks.identify_pendulum import pendulum_rows
from benchmarks.identify_servo import servo_rows
from benchmarks.identify_truth import truth_rows
from benchmarks.real_logs import LOGS
from sdk.results import Row, write_result

SEEDS = list(range(8))
"""Of the known truth; the real logs are what they are, and are identified with seed 0."""

Part = Callable[[Path, int], list[Row]]

PARTS: dict[str, Part] = {
    "c0": lambda logs, jobs: build_rows("C.0", logs, jobs),
    "a0": lambda logs, jobs: build_rows("A.0", logs, jobs),
    "xl330": servo_rows,
    "pendulum": pendulum_rows,
    "truth": lambda logs, jobs: truth_rows(SEEDS, jobs),
}
"""Each part: from the folder of real logs and a number of processes to rows; `FileNotFoundError` without its logs."""


def main() -> None:
    """Measure the parts asked for and write their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder of the real logs")
    parser.add_argument("--jobs", type=int, default=1, help="processes that simulate")
    options = parser.parse_args()
    for part in options.parts:
        start = time.monotonic()
        try:
            rows = PARTS[part](options.logs, options.jobs)
        except FileNotFoundError as error:
            print(f"{part} skipped: {error}; set SIMSHIFT_REAL_LOGS or --logs to the real logs", file=sys.stderr)
            continue
        command = f"python -m benchmarks.identify {part}"
        print(
            write_result(f"identify_{part}", command, SEEDS if part == "truth" else [0], time.monotonic() - start, rows)
        )


if __name__ == "__main__":
    main()
