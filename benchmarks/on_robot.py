"""What is promised of a bundle on the robot, measured: ticks, memory, deadlines, a payload lost, a fresh install.

    python -m benchmarks.on_robot --run RUN --robust RUN

`--run` is a training run of an adaptive policy for the servo arm, `--robust` one without memory. Speeds are ratios
within this run. Both are exported anew; the fresh install drives the bundle that lies in `bundles/`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.on_robot_install import ROOT, install_rows
from benchmarks.on_robot_line import drop_rows
from benchmarks.on_robot_ticks import loop_rows, start_rows, tick_rows
from benchmarks.on_robot_widths import width_rows
from export.bundle import read_bundle
from sdk.results import Row, measured, write_result
from sdk.ship import export_run

SHIPPED = ROOT / "bundles/servo_arm_rl2.zip"


def rows(run: Path, robust: Path) -> list[Row]:
    """Measure everything, what the scheduler could disturb first."""
    load = measured("machine/load_average", os.getloadavg()[0], f"running processes, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        bundles = {"adaptive": Path(name) / "adaptive.zip", "robust": Path(name) / "robust.zip"}
        for path, source in zip(bundles.values(), (run, robust), strict=True):
            export_run(source, path)
        bundle = read_bundle(bundles["adaptive"])
        return [
            load,
            *tick_rows(bundle),
            *width_rows(),
            *start_rows(bundles["adaptive"]),
            *loop_rows(bundle),
            *drop_rows(bundles),
            *install_rows(SHIPPED),
        ]


def main() -> None:
    """Measure and write `benchmarks/results/on_robot.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="training run of an adaptive policy")
    parser.add_argument("--robust", type=Path, required=True, help="training run of one without memory")
    arguments = parser.parse_args()
    start = time.monotonic()
    found = rows(arguments.run, arguments.robust)
    command = "make bench-robot RUN=rl2-run ROBUST=robust-run"
    print(write_result("on_robot", command, [0], time.monotonic() - start, found))


if __name__ == "__main__":
    main()
