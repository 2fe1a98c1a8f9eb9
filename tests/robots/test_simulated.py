from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from domain_rand.parameters import TABLE
from domain_rand.randomizer import Randomization
from robots.safety import UnsafeCommand
from robots.simulated import SimulatedRobot
from robots.spec import RobotSpec, load_robot
from robots.task import Start

RANDOMIZATION = load_robot("servo_arm")[1]
NOMINAL = {
    ("link", "payload", "mass"): 0.6,
    ("joint", "shoulder", "gain"): 1.0,
    ("joint", "shoulder", "torque_limit"): 10.0,
    ("joint", "shoulder", "delay"): 0.0,
    ("signal", "joint_pos", "noise"): 0.003,
    ("signal", "joint_vel", "noise"): 0.03,
    ("world", "world", "gravity"): 9.81,
}


def start(robot: SimulatedRobot, offset: float = 0.0) -> None:
    robot.start(Start([offset]), np.random.default_rng(0))


def everything(robot: SimulatedRobot) -> dict[Any, float]:
    """What the simulator and its models hold now, for every quantity of the table, inertia included."""
    held = {
        (row.name, name): robot.read(row.group, name, row.field)
        for row in TABLE.values()
        for name in robot.names(row.group)
    }
    inertia = {
        (name, axis): value for name in robot.names("link") for axis, value in enumerate(robot.world.inertia(name))
    }
    return held | inertia


def write_nominal(robot: SimulatedRobot) -> None:
    for row in TABLE.values():
        for name in robot.names(row.group):
            robot.write(row.group, name, row.field, robot.nominal(row.group, name, row.field))


@pytest.mark.parametrize(("place", "value"), NOMINAL.items(), ids=lambda value: str(value))
def test_nominal_is_what_the_robot_s_files_say(robot: SimulatedRobot, place: tuple[Any, ...], value: float) -> None:
    assert robot.nominal(*place) == value
    assert robot.read(*place) == value


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_what_is_written_is_read_and_nominal_stays(robot: SimulatedRobot, row: Any) -> None:
    for name in robot.names(row.group):
        nominal = robot.nominal(row.group, name, row.field)
        robot.write(row.group, name, row.field, 0.7)
        assert robot.read(row.group, name, row.field) == 0.7
        assert robot.nominal(row.group, name, row.field) == nominal


def test_ten_thousand_worlds_later_nominal_is_bit_identical(robot: SimulatedRobot) -> None:
    before = everything(robot)
    for index in range(10_000):
        RANDOMIZATION.apply(RANDOMIZATION.draw(0, index), robot)
    assert everything(robot) != before
    write_nominal(robot)
    assert everything(robot) == before


def test_every_massive_link_can_be_selected(robot: SimulatedRobot) -> None:
    every = Randomization.parse(
        {
            "parameters": {
                "m": {
                    "parameter": "link_mass",
                    "op": "scale",
                    "unit": "1",
                    "draw": {"distribution": "choice", "values": [2]},
                }
            }
        }
    )
    assert every.apply(every.draw(0, 0), robot) == {"m/arm": 0.4, "m/payload": 1.2}


def test_a_command_is_limited_as_on_the_robot(robot: SimulatedRobot) -> None:
    start(robot)
    assert robot.step([25.0]) == [10.0]
    assert robot.step([-25.0]) == [0.0]
    assert robot.step([-25.0]) == [-10.0]


def test_a_command_that_is_not_finite_moves_nothing(robot: SimulatedRobot) -> None:
    start(robot, 0.3)
    robot.step([2.0])
    before = (robot.world.joint_pos, robot.world.joint_vel, robot.limiter.last, robot.time)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(UnsafeCommand):
            robot.step([bad])
    assert (robot.world.joint_pos, robot.world.joint_vel, robot.limiter.last, robot.time) == before


@pytest.mark.parametrize(("delay", "moved"), [(0.0, True), (0.01, True), (0.02, False)])
def test_a_delay_of_a_whole_period_hides_the_first_command(robot: SimulatedRobot, delay: float, moved: bool) -> None:
    robot.write("joint", "shoulder", "delay", delay)
    start(robot)
    robot.step([5.0])
    assert (robot.world.joint_vel[0] > 0.1) is moved
    robot.step([5.0])
    assert robot.world.joint_vel[0] > 0.1


def test_a_motor_wired_backwards_turns_the_other_way(robot: SimulatedRobot) -> None:
    robot.write("joint", "shoulder", "gain", -1.0)
    start(robot)
    robot.step([5.0])
    assert robot.world.joint_vel[0] < -0.1


def test_an_effect_adds_its_torque_at_its_time(spec: RobotSpec) -> None:
    calls: list[float] = []

    def push(time: float, joint_pos: Any, joint_vel: Any) -> list[float]:
        calls.append(time)
        return [5.0]

    pushed, commanded = SimulatedRobot(spec, push), SimulatedRobot(spec)
    for robot, command in ((pushed, 0.0), (commanded, 5.0)):
        start(robot)
        for _ in range(3):
            robot.step([command])
    assert pushed.world.joint_pos == commanded.world.joint_pos
    dt, steps = spec.model.physics_dt, 3 * spec.physics_steps
    assert calls == pytest.approx([dt * step for step in range(steps)])
    pushed.close()
    commanded.close()


def test_signals_come_in_the_order_of_the_contract(robot: SimulatedRobot) -> None:
    for name in ("joint_pos", "joint_vel"):
        robot.write("signal", name, "noise", 0.0)
    start(robot, 0.3)
    robot.step([2.0])
    expected = [robot.world.joint_pos[0], robot.world.joint_vel[0], 0.5]
    start(robot, 0.3)
    robot.step([2.0])
    assert robot.observe({"joint_pos_target": [0.5]}) == pytest.approx(expected, rel=1e-6)


def test_a_lost_command_leaves_the_one_before_but_counts_as_sent(robot: SimulatedRobot) -> None:
    robot.write("world", "world", "command_dropout", 1.0)
    start(robot)
    assert robot.step([5.0]) == [5.0]
    assert robot.world.joint_vel == [0.0]
    assert robot.view.last_action == [0.5]


def test_a_disturbance_that_begins_within_an_episode_knows_the_command_before(robot: SimulatedRobot) -> None:
    start(robot)
    robot.step([5.0])
    robot.write("world", "world", "command_dropout", 1.0)
    robot.refresh()
    robot.step([-5.0])
    assert robot.view.joint_torque == [5.0]


def test_a_control_period_that_is_not_kept_takes_its_own_time(robot: SimulatedRobot) -> None:
    robot.write("world", "world", "control_jitter", 0.01)
    start(robot)
    times = [robot.step([0.0]) and robot.time for _ in range(50)]
    periods = np.diff(times)
    assert np.all(np.abs(periods / 0.005 - np.round(periods / 0.005)) < 1e-6)
    assert periods.std() > 0.003
    robot.write("world", "world", "control_jitter", 0.0)
    start(robot)
    assert [robot.step([0.0]) and robot.time for _ in range(3)] == pytest.approx([0.02, 0.04, 0.06])


def test_a_jammed_joint_holds_against_its_motor(robot: SimulatedRobot) -> None:
    robot.write("joint", "shoulder", "locked", 1.0)
    start(robot, 0.4)
    for _ in range(20):
        robot.step([10.0])
    assert robot.world.joint_pos == pytest.approx([0.4], abs=1e-3)


def test_torque_is_what_the_joint_felt_last(robot: SimulatedRobot) -> None:
    robot.write("joint", "shoulder", "viscous", 0.1)
    start(robot)
    assert robot.view.joint_torque == [0.0]
    robot.step([5.0])
    assert 4.5 < robot.view.joint_torque[0] < 5.0


@pytest.mark.parametrize(("rubbing", "acting"), [(0.0, 6), (2.0, 9)])
def test_joints_that_feel_no_torque_are_left_alone_and_nothing_changes(rubbing: float, acting: int) -> None:
    robot = SimulatedRobot(load_robot("half_cheetah")[0])
    moved = []
    for alone in (True, False):
        robot.write("joint", "ignorey", "viscous", rubbing)
        robot.start(Start(), np.random.default_rng(0))
        assert robot.bank.acting == acting
        for k in range(20):
            robot.bank.hold([50.0 * (-1) ** k] * 6, 4)
            robot.world.run(robot.bank.torque, 4, robot.bank.acting if alone else None)
        moved.append(robot.world.joint_pos + robot.world.joint_vel)
    robot.close()
    assert len(moved[0]) == 18
    assert moved[0] == moved[1]
