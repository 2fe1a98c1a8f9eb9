from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from benchmarks.env_timing import Timed, Timer
from benchmarks.envs import speed
from benchmarks.peer_server import Stopwatch
from benchmarks.peers import PEERS, Peer, PeerError, beside_peers, overhead
from robots.bullet import world


def test_a_stopwatch_adds_up_what_its_function_takes() -> None:
    watch = Stopwatch(lambda seconds: time.sleep(seconds) or "slept")
    assert [watch(0.02), watch(0.03)] == ["slept", "slept"]
    assert 0.05 <= watch.total < 0.1


def test_physics_is_part_of_a_step_and_the_watch_is_taken_off() -> None:
    bare, timer = world._step, Timer("servo_arm", 20)
    timed = [timer.time(k) for k in range(5)]
    timer.close()
    assert 0 < min(t.bare for t in timed) < min(t.full for t in timed)
    assert world._step is bare


def test_an_environment_s_rows_hold_its_bar() -> None:
    share, rate, reset = speed("cartpole", episodes=3, repeats=2)
    assert share.bar == ">= 0.4"
    assert 0 < share.value < 1
    assert rate.reference["bare"] > rate.value
    assert reset.unit == "ms"


def test_overhead_is_what_is_added_to_physics() -> None:
    rounds = [Timed(full=5.0, bare=3.0), Timed(full=6.0, bare=3.0), Timed(full=9.0, bare=4.0)]
    assert overhead(rounds) == (3.0, 3.0)


def test_absent_libraries_are_rows_that_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    rows = beside_peers(None)
    assert [row.name for row in rows] == [f"beside/{name}/skipped" for name in PEERS.values()]
    assert all("--peers" in row.unit or "no robot" in row.unit for row in rows)
    assert "skipped" in capsys.readouterr().err


def test_an_interpreter_without_the_libraries_is_an_error_not_a_wait() -> None:
    peer = Peer(Path(sys.executable), "PandaReach-v3")
    with pytest.raises(PeerError, match="PandaReach-v3 does not run there"):
        peer.time(0)
    peer.close()
