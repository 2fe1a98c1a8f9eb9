"""How long a fresh process takes to its first action, and how much memory it then holds: with onnxruntime, with torch.

`python -m export.cold_start simshift|torch BUNDLE` is that process; it prints its memory once it has acted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from export.bundle import read_bundle
from export.certificate import ColdStart
from robots.contract import Contract

KINDS = ("simshift", "torch")
TIMEOUT = 120.0


def cold_start(kind: str, bundle: Path) -> ColdStart:
    """Start a fresh process that acts once; raises `RuntimeError` when it fails, as where torch is absent."""
    command = [sys.executable, "-m", "export.cold_start", kind, str(bundle.resolve())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        seconds = time.perf_counter() - start
        _, complaint = process.communicate(timeout=TIMEOUT)
    if process.returncode or not line:
        raise RuntimeError(f"{kind}: {(complaint.strip().splitlines() or ['no action'])[-1]}")
    return ColdStart(name=kind, first_action_s=seconds, memory_mb=json.loads(line)["memory_mb"])


def middle_reading(contract: Contract) -> dict[str, list[float]]:
    """Return a reading that no contract refuses: 0, or the end of the range that is nearest to it."""
    return {s.name: [min(max(0.0, s.low), s.high)] * s.size for s in contract.signals}


def resident_mb() -> float | None:
    """Return this process's resident memory [MB]; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return None


def act(kind: str, path: str) -> None:
    """Load the bundle and act once."""
    if kind == "simshift":
        from export.runtime.policy import Policy

        policy = Policy.load(path)
        policy.step(middle_reading(policy.contract), last_reward=0.0)
        return
    import torch

    from export.peers import torch_peer

    bundle = read_bundle(path)
    given = {t.name: torch.from_numpy(np.zeros(t.shape, np.float32)) for t in bundle.manifest.inputs}
    torch_peer(bundle)(given)


if __name__ == "__main__":
    act(*sys.argv[1:])
    print(json.dumps({"memory_mb": resident_mb()}), flush=True)
