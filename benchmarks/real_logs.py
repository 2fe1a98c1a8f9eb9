"""Recorded runs of a real double pendulum against its simulation: how well it foretells them a quarter second ahead.

    python -m benchmarks.real_logs [--logs FOLDER]

What `simshift replay-log double_pendulum` says of all identification runs of the build whose parameters the robot's
folder holds. The logs are not part of the project; without them there is nothing to measure.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from sdk.replay import Facts, replay_logs
from sdk.results import Row, at_most, measured, write_result

LOGS = Path(os.environ.get("SIMSHIFT_REAL_LOGS", "../shared/data/real_logs"))
RUNS = Path("dfki_double_pendulum/design_C.0/sysid")
ROBOT, HORIZON = "double_pendulum", 0.25
BARS = (0.16, 0.30)
"""Largest error of the first and the second joint [rad]; a model of this build without friction has 0.182 and 0.324."""

AUTHORS = (0.088, 0.157)
"""Errors of the same prediction with the equations of motion and parameters that were published with the runs [rad]."""


def rows(facts: Facts) -> list[Row]:
    """Turn what was foretold into rows, each joint held against its bar."""
    total, name = facts["all"], f"{ROBOT}/{RUNS.parent.name}"
    per_joint = zip(facts["joints"], total["rmse"], BARS, AUTHORS, total["no_motion"], strict=True)
    return [
        *(
            at_most(f"{name}/{joint}/rmse", error, f"rad, {HORIZON:g} s ahead", bar, authors=authors, no_motion=still)
            for joint, error, bar, authors, still in per_joint
        ),
        measured(f"{name}/command_delay", 1e3 * facts["delay"], "ms, lag of the measured torque"),
        measured(f"{name}/runs", len(facts["runs"]), "runs", beyond_the_contract=len(facts["dropped"])),
        measured(f"{name}/segments", total["segments"], "predictions"),
    ]


def main() -> None:
    """Measure and write `benchmarks/results/real_logs.json`; say so where there are no logs, and leave the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder of the real logs")
    runs = parser.parse_args().logs / RUNS
    if not runs.is_dir():
        print(f"skipped: {runs} is not there; set SIMSHIFT_REAL_LOGS or --logs to the real logs", file=sys.stderr)
        return
    start = time.monotonic()
    facts = replay_logs(ROBOT, [runs], HORIZON)
    print(write_result("real_logs", "make bench-logs", [0], time.monotonic() - start, rows(facts)))


if __name__ == "__main__":
    main()
