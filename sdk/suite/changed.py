"""Rows of robots that change: how long adapting takes, worlds outside of training, a switch in mid-trial."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from domain_rand.schema import ConfigError
from robots.robot_env import RobotEnv
from robots.twin.faults import Faults
from robots.twin.scored import check_faults, slot_ticks
from sdk.results import Row, measured
from sdk.statistics import Estimate, seeds_by_tasks_ci95, seeds_by_tasks_gap_closed, seeds_by_tasks_statistic
from sdk.suite.arms import Arm
from sdk.suite.definition import Benchmark
from sdk.suite.settling import adapted_after, recovered_after

Arms = Mapping[str, Arm]


class Slots:
    """How a robot's trial divides into slots: their length [s], and how many an episode and a trial have."""

    def __init__(self, env: RobotEnv) -> None:
        ticks = slot_ticks(env.contract.control_dt)
        self.length = ticks * env.contract.control_dt
        self.episode = round(env.horizon / ticks)
        self.trial = -(-env.spec_of_robot.task.episodes * env.horizon // ticks)

    def at(self, time: float) -> int:
        """Return the slot that begins at this time of the trial [s]."""
        return round(time / self.length)


def slots_of(benchmark: Benchmark) -> Slots:
    """Return the slots of a benchmark's trials.

    Raises `ConfigError` for a change of a parameter that is not there or beyond physics, and for a switch outside of
    the trial or after its last episode has begun: that one tells where recovering leads to.
    """
    file = benchmark.file
    assert file.robot is not None
    env = RobotEnv(file.robot, task=file.task)
    try:
        check_faults(Faults(switch=tuple(file.changes.values())), env)
        slots = Slots(env)
    finally:
        env.close()
    for name, switch in file.switch.items():
        if not 0 < slots.at(switch.at) <= slots.trial - slots.episode:
            last = (slots.trial - slots.episode) * slots.length
            raise ConfigError(
                f"{benchmark.name}: switch.{name}.at is {switch.at:g} s; valid is above 0, up to {last:g} s"
            )
    return slots


def adapting_rows(benchmark: Benchmark, algo: str, arms: Arms, slots: Slots) -> list[Row]:
    """Return the seconds of robot time to 90 % of final performance, of what adapts."""
    file = benchmark.file
    if algo in (file.floor, file.ceiling):
        return []
    series = np.stack([arms[name].per_slot for name in (file.floor, algo, file.ceiling)], axis=2)
    taken = seeds_by_tasks_statistic(partial(adapted_after, last=slots.episode), series)
    unit = f"s of robot time to 90 % of what it gains on {file.floor} in the last episode"
    return [measured(f"{benchmark.name}/{algo}/seconds_to_90", _scaled(taken, slots.length), unit)]


def changed_rows(benchmark: Benchmark, algo: str, arms: Arms, slots: Slots) -> list[Row]:
    """Return what an arm earns outside of training, and before and after each switch."""
    result = []
    for name in benchmark.file.changes:
        under = {who: arm.under(name) for who, arm in arms.items()}
        kind, _, which = name.partition("/")
        if kind == "beyond":
            result += _beyond(benchmark, algo, under, f"{benchmark.name}/{algo}/{name}")
        else:
            at = slots.at(benchmark.file.switch[which].at)
            result += _switch(benchmark, algo, under, f"{benchmark.name}/{algo}/{name}", at, slots)
    return result


def _beyond(benchmark: Benchmark, algo: str, arms: Arms, prefix: str) -> list[Row]:
    """Return return, success and, where knowing the world still helps, the gap closed."""
    file, arm = benchmark.file, arms[algo]
    floor, ceiling = arms[file.floor].returns, arms[file.ceiling].returns
    levels = {"ceiling": float(ceiling.mean()), file.floor: float(floor.mean())}
    result = [
        measured(f"{prefix}/total_return", seeds_by_tasks_ci95(arm.returns), file.unit, **levels),
        measured(f"{prefix}/success", seeds_by_tasks_ci95(arm.success), "of episodes end on target"),
    ]
    if algo not in (file.floor, file.ceiling) and ceiling.mean() > floor.mean():
        gap = seeds_by_tasks_gap_closed(floor, arm.returns, ceiling)
        result.append(measured(f"{prefix}/gap_closed", gap, f"of {file.floor} to {file.ceiling}"))
    return result


def _switch(benchmark: Benchmark, algo: str, arms: Arms, prefix: str, at: int, slots: Slots) -> list[Row]:
    """Return what a second earns before and after the switch and, but of the ceiling, the time to recover."""
    ceiling, rates = benchmark.file.ceiling, arms[algo].per_slot
    before, after = (seeds_by_tasks_ci95(part.mean(-1) / slots.length) for part in (rates[..., :at], rates[..., at:]))
    result = [
        measured(f"{prefix}/{name}", rate, "return of a second")
        for name, rate in (("before", before), ("after", after))
    ]
    if algo == ceiling:
        return result
    series = np.stack([rates, arms[ceiling].per_slot], axis=2)
    taken = seeds_by_tasks_statistic(partial(recovered_after, last=slots.episode, start=at), series)
    unit = "s until it is as far behind the ceiling as in the last episode, within 10 % of what it earns there"
    return [*result, measured(f"{prefix}/recovery", _scaled(taken, slots.length), unit)]


def _scaled(slots: Estimate, length: float) -> Estimate:
    return Estimate(slots.value * length, slots.low * length, slots.high * length)
