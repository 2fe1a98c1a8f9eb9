"""Another library's environment, timed on request: run by an interpreter that has it, driven by `benchmarks.peers`.

    python benchmarks/peer_server.py PandaReach-v3 25

For each line on standard input, plays so many random steps twice, once as they are and once with a watch on the physics
inside them, and answers with one JSON line: seconds a step of each. Imports nothing of this project.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    name, steps = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # PyBullet talks on standard output
    env, client = make(name)
    bare = client.stepSimulation
    for line in sys.stdin:
        actions = [env.action_space.sample() for _ in range(steps)]
        full = play(env, int(line), actions)
        client.stepSimulation = watch = Stopwatch(bare)
        play(env, int(line), actions)
        client.stepSimulation = bare
        print(json.dumps({"full": full / steps, "bare": watch.total / steps}), file=answers, flush=True)


class Stopwatch:
    """Stands in for a function and adds up the time its calls take [s], less the watch's own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._own = min(-time.perf_counter() + time.perf_counter() for _ in range(100))
        self.total = 0.0

    def __call__(self, *arguments: Any) -> Any:
        start = time.perf_counter()
        result = self._function(*arguments)
        self.total += time.perf_counter() - start - self._own
        return result


def play(env: Any, seed: int, actions: list[Any]) -> float:
    """Return the time of the steps [s] after a reset, which makes them the same each time."""
    env.reset(seed=seed)
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    return time.perf_counter() - start


def make(name: str) -> tuple[Any, Any]:
    """Return the environment without wrappers, and the PyBullet client that it steps."""
    import gymnasium

    for package in ("panda_gym", "pybullet_envs_gymnasium"):
        with contextlib.suppress(ImportError):
            __import__(package)
    env: Any = gymnasium.make(name).unwrapped
    env.reset(seed=0)
    return env, env.sim.physics_client if hasattr(env, "sim") else env._p


if __name__ == "__main__":
    main()
