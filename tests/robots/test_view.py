from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from robots.simulated import SimulatedRobot
from robots.sources import PLAIN, find_source
from robots.spec import load_robot
from robots.task import Start


@pytest.fixture
def cartpole() -> Iterator[SimulatedRobot]:
    robot = SimulatedRobot(load_robot("cartpole")[0])
    robot.start(Start([0.3, 1.0], [0.2, -0.4]), np.random.default_rng(0))
    yield robot
    robot.close()


@pytest.fixture
def a1() -> Iterator[SimulatedRobot]:
    """The quadruped upside down, heading along +y, moving and turning."""
    robot = SimulatedRobot(load_robot("a1")[0])
    turn = (cos(pi / 4), sin(pi / 4), 0.0, 0.0)  # a half turn about an axis between x and y: heading +y, on its back
    start = Start(
        base_offset=(1.0, 2.0, 3.0), base_turn=turn, base_lin_vel=(0.0, 0.5, 0.2), base_ang_vel=(0.1, 0.2, 0.3)
    )
    robot.start(start, np.random.default_rng(0))
    yield robot
    robot.close()


def test_joints_are_read_together_and_by_name(cartpole: SimulatedRobot) -> None:
    view = cartpole.view
    assert (view.joint_pos, view.joint_vel) == ([0.3], [0.2])
    assert (view.passive_joint_pos, view.passive_joint_vel) == ([1.0], [-0.4])
    assert (view.joint_pos_of("pole"), view.joint_vel_of("slider")) == (1.0, 0.2)
    assert view.joint_direction_of("pole") == (cos(1.0), sin(1.0))
    assert view.joint_pos_offset == [0.3]
    with pytest.raises(ConfigError, match="no joint 'poll'; did you mean 'pole'"):
        view.joint_pos_of("poll")


def test_an_encoder_s_offset_is_measured_not_true(cartpole: SimulatedRobot) -> None:
    cartpole.write("joint", "slider", "encoder_offset", 0.05)
    cartpole.start(Start([0.3]), np.random.default_rng(0))
    assert cartpole.view.joint_pos == [0.3]
    assert cartpole.view.measured_joint_pos == [pytest.approx(0.35)]


def test_the_base_is_seen_from_the_world_and_from_itself(a1: SimulatedRobot) -> None:
    view = a1.view
    assert view.base_pos_world == pytest.approx((1.0, 2.0, 3.28))
    assert view.base_height == (pytest.approx(3.28),)
    assert view.base_lin_vel_world == pytest.approx((0.0, 0.5, 0.2))
    assert view.base_ang_vel_world == pytest.approx((0.1, 0.2, 0.3))
    # the body's axes: x is the world's y, y its x, z points down
    assert view.base_lin_vel_body == pytest.approx((0.5, 0.0, -0.2))
    assert view.base_ang_vel_body == pytest.approx((0.2, 0.1, -0.3))
    assert view.projected_gravity == pytest.approx((0, 0, 1))


def test_the_view_moves_on_with_the_robot(a1: SimulatedRobot) -> None:
    before = a1.view.base_pos_world
    a1.step(a1.limiter.last)
    assert a1.view.base_pos_world != before
    assert a1.view.time == pytest.approx(0.02)


def test_a_link_is_read_once_a_control_period_and_anew_in_the_next(a1: SimulatedRobot) -> None:
    before = a1.view.link_pos_world("FR_toe")
    assert a1.view.link_pos_world("FR_toe") is before
    a1.step(a1.limiter.last)
    after = a1.view.link_pos_world("FR_toe")
    assert after == a1.world.link_pose("FR_toe")[0] != before


def test_links_and_contacts(a1: SimulatedRobot) -> None:
    view = a1.view
    toe, trunk = view.link_pos_world("FR_toe"), view.link_pos_world("trunk")
    assert trunk == pytest.approx(view.base_pos_world)
    assert 0.1 < np.linalg.norm(np.subtract(toe, trunk)) < 0.5
    assert toe[2] > trunk[2]
    assert not view.contact("FR_toe")
    assert view.contact_force("FR_toe") == 0


def test_the_last_action_is_the_command_undone(a1: SimulatedRobot) -> None:
    assert a1.view.last_action == pytest.approx([0.0] * 12)
    command = [0.15, 0.9, -1.8] * 4
    a1.step(command)
    assert a1.view.last_action == pytest.approx([0.5, 0.0, 0.0] * 4)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("joint_pos", [0.3]),
        ("joint_pos(pole)", [1.0]),
        ("joint_vel( pole , slider )", [-0.4, 0.2]),
        ("joint_direction(pole)", [cos(1.0), sin(1.0)]),
        ("passive_joint_vel", [-0.4]),
        ("link_pos_world(cart)", [0.3, 0.0, 1.2]),
        ("last_action", [0.0]),
    ],
)
def test_a_source_reads_what_its_name_says(cartpole: SimulatedRobot, source: str, value: list[float]) -> None:
    assert list(find_source(source)(cartpole.view)) == pytest.approx(value, abs=1e-6)  # links: single precision


@pytest.mark.parametrize("source", sorted(PLAIN))
def test_every_plain_source_can_be_read(a1: SimulatedRobot, source: str) -> None:
    assert all(isinstance(value, float) for value in PLAIN[source](a1.view))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("joint_poss", "unknown signal source 'joint_poss'; did you mean 'joint_pos'"),
        ("joint_direction", "unknown signal source 'joint_direction'"),
        ("base_pos_world(trunk)", "unknown signal source"),
        ("joint_pos(", "unknown signal source"),
        ("goal", "did you mean 'goal_pos'"),
    ],
)
def test_an_unknown_source_names_the_nearest(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(").replace(")", r"\)")):
        find_source(source, ("goal_pos",))


def test_a_signal_of_the_wrong_size_is_refused() -> None:
    spec = load_robot("cartpole")[0]
    signals = [s.model_copy(update={"size": 2}) if s.name == "cart_pos" else s for s in spec.contract.signals]
    contract = spec.contract.model_copy(update={"signals": tuple(signals)})
    with pytest.raises(ConfigError, match="signal cart_pos: size is 2, its source joint_pos has 1"):
        SimulatedRobot(spec.model_copy(update={"contract": contract}))
