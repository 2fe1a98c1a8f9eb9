"""Other libraries' environments beside ours: the time a step takes above bare physics, in turns on one machine.

They live in a virtual environment of their own, since their pins are not ours:

    python3.11 -m venv peers && peers/bin/pip install panda-gym pybullet_envs_gymnasium
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.env_timing import Timed, Timer
from robots.spec import robot_names
from sdk.results import Row, at_most, measured

PEERS = {"panda": "PandaReach-v3", "ant": "AntBulletEnv-v0", "half_cheetah": "HalfCheetahBulletEnv-v0"}
"""Our robot to the environment it stands beside."""

ROUNDS, STEPS, AT_MOST = 30, 25, 0.5
SERVER = Path(__file__).with_name("peer_server.py")


class PeerError(RuntimeError):
    """The other interpreter did not answer."""


class Peer:
    """One environment of another library, in a process of its own."""

    def __init__(self, python: Path, name: str) -> None:
        self._name = name
        command = [str(python), str(SERVER), name, str(STEPS)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)

    def time(self, seed: int) -> Timed:
        """Time one round; raises `PeerError` when there is no answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            print(seed, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self._name} does not run there")
        return Timed(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=20)


class Overhead(NamedTuple):
    """Medians over rounds [s a step]: what an environment adds to its physics, and that physics."""

    added: float
    bare: float


def overhead(rounds: list[Timed]) -> Overhead:
    """Return the medians of time above bare physics and of bare physics."""
    added = float(np.median([timed.full - timed.bare for timed in rounds]))
    return Overhead(added, float(np.median([timed.bare for timed in rounds])))


def beside_peers(python: Path | None) -> list[Row]:
    """Compare each robot with its peer; what cannot be compared is a row that says why."""
    rows = []
    for robot, peer in PEERS.items():
        reason = _missing(robot, python)
        if reason is None:
            assert python is not None
            try:
                rows += _compare(robot, peer, python)
                continue
            except PeerError as error:
                reason = str(error)
        print(f"{robot} beside {peer}: skipped, {reason}", file=sys.stderr)
        rows.append(measured(f"beside/{peer}/skipped", 1, reason))
    return rows


def _missing(robot: str, python: Path | None) -> str | None:
    if robot not in robot_names():
        return f"no robot {robot}"
    if python is None or not python.exists():
        return "no interpreter with the other libraries (--peers)"
    return None


def _compare(robot: str, name: str, python: Path) -> list[Row]:
    ours, peer = Timer(robot, STEPS), Peer(python, name)
    try:
        pairs = [(ours.time(seed), peer.time(seed)) for seed in range(ROUNDS)]
    finally:
        ours.close()
        peer.close()
    we, they = (overhead(list(side)) for side in zip(*pairs, strict=True))
    times = {"ours_us": we.added * 1e6, "theirs_us": they.added * 1e6}
    shares = {"ours": we.added / we.bare, "theirs": they.added / they.bare}
    return [
        at_most(f"beside/{name}/{robot}_overhead", we.added / they.added, "of theirs, a step", AT_MOST, **times),
        measured(f"beside/{name}/overhead_share", shares["ours"], "of bare physics", theirs=shares["theirs"]),
    ]
