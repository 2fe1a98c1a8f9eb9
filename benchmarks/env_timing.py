"""Time an environment's steps, and the calls of bare physics inside them, in the same motion."""

from __future__ import annotations

import multiprocessing
import time
from typing import NamedTuple

import numpy as np

from benchmarks.peer_server import Stopwatch
from robots.bullet import world
from robots.robot_env import RobotEnv


class Timed(NamedTuple):
    """Seconds of one environment step, and of the physics steps in it alone."""

    full: float
    bare: float


class Timer:
    """Times rounds of `steps` random steps of an episode, and the physics steps inside them when it is played again.

    Equal keys replay bit for bit, so both are the same motion with the same contacts.
    """

    def __init__(self, robot: str, steps: int) -> None:
        self._env, self._steps = RobotEnv(robot), steps
        self._env.reset(seed=0)
        rng = np.random.default_rng(0)
        joints = self._env.action_space.shape or ()
        self._actions = rng.uniform(-1, 1, (steps, *joints)).astype(np.float32)

    def time(self, episode: int) -> Timed:
        """Time one round."""
        full = self.play(episode)
        bare, world._step = world._step, Stopwatch(world._step)
        try:
            self.play(episode)
            watched = world._step.total
        finally:
            world._step = bare
        return Timed(full / self._steps, watched / self._steps)

    def play(self, episode: int) -> float:
        """Return the time [s] that the steps of an episode take; its beginning is not counted."""
        self._env.begin_episode(episode)
        start = time.perf_counter()
        for action in self._actions:
            self._env.step(action)
        return time.perf_counter() - start

    def reset(self, seed: int) -> float:
        """Return the time [s] of a reset into a new world, all parameters drawn and written."""
        start = time.perf_counter()
        self._env.reset(seed=seed)
        return time.perf_counter() - start

    def close(self) -> None:
        """Release the simulator."""
        self._env.close()


def workers_rate(robot: str, workers: int, seconds: float) -> float:
    """Return the steps a second [1/s] of so many processes together, each with one robot, all busy at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(workers)
    answers = context.Queue()
    processes = [
        context.Process(target=_work, args=(robot, seconds, barrier, answers), daemon=True) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    total = sum(answers.get(timeout=60 + 2 * seconds) for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def _work(robot: str, seconds: float, barrier, answers) -> None:  # type: ignore[no-untyped-def]
    timer = Timer(robot, 50)
    timer.play(0)
    barrier.wait()
    rounds, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        rounds += 1
        timer.play(rounds)
    timer.close()
    answers.put(rounds * 50)
