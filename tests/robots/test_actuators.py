from __future__ import annotations

from math import tanh

import pytest

from robots.actuator_bank import ActuatorBank
from robots.actuators import COULOMB_VEL, Actuator, friction_torque, motor_torque

DT = 0.005
STEPS = 4
STILL = (0.0, 0.0, (), 0.0)


def bank(*actuators: Actuator) -> ActuatorBank:
    return ActuatorBank(actuators, DT)


def respond(bank: ActuatorBank, commands: list[float]) -> list[float]:
    """Torque of the only joint at rest, one entry a physics step, for one command a control period."""
    torques = []
    for command in commands:
        bank.hold([command], STEPS)
        torques += [bank.torque([STILL])[0] for _ in range(STEPS)]
    return torques


@pytest.mark.parametrize(
    ("command", "gain", "dead_band", "limit", "torque"),
    [
        (2.0, 1.0, 0.0, 10.0, 2.0),
        (2.0, 1.5, 0.0, 10.0, 3.0),
        (2.0, -0.5, 0.0, 10.0, -1.0),
        (0.19, 1.0, 0.2, 10.0, 0.0),
        (-0.19, 1.0, 0.2, 10.0, 0.0),
        (0.2, 1.0, 0.2, 10.0, 0.2),
        (-0.3, 2.0, 0.2, 10.0, -0.6),
        (9.0, 1.5, 0.0, 10.0, 10.0),
        (-9.0, 1.5, 0.0, 10.0, -10.0),
        (9.0, -1.5, 0.0, 10.0, -10.0),
    ],
)
def test_motor_torque(command: float, gain: float, dead_band: float, limit: float, torque: float) -> None:
    assert motor_torque(command, gain, dead_band, limit) == pytest.approx(torque)


def test_friction_opposes_motion_on_both_sides() -> None:
    assert friction_torque(2.0, viscous=0.1, coulomb=0.0) == pytest.approx(-0.2)
    assert friction_torque(-2.0, viscous=0.1, coulomb=0.0) == pytest.approx(0.2)
    assert friction_torque(2.0, viscous=0.1, coulomb=0.4) == pytest.approx(-0.6)
    assert friction_torque(-2.0, viscous=0.1, coulomb=0.4) == pytest.approx(0.6)
    assert friction_torque(0.0, viscous=0.1, coulomb=0.4) == 0.0


def test_dry_friction_fades_smoothly_at_rest() -> None:
    assert friction_torque(COULOMB_VEL, viscous=0.0, coulomb=1.0) == pytest.approx(-tanh(1.0))
    assert friction_torque(COULOMB_VEL / 100, viscous=0.0, coulomb=1.0) == pytest.approx(-0.01, rel=1e-3)


@pytest.mark.parametrize("k", [0, 1, 3, 4, 6, 9])
def test_a_delay_holds_a_command_back_by_exactly_its_physics_steps(k: int) -> None:
    delayed = bank(Actuator(torque_limit=10, delay=k * DT))
    commands = [1.0, 2.0, 3.0, 0.0]
    sent = [command for command in commands for _ in range(STEPS)]
    assert respond(delayed, commands) == [0.0] * k + sent[: len(sent) - k]


@pytest.mark.parametrize(("delay", "k"), [(0.0024, 0), (0.0026, 1), (0.0149, 3), (0.0151, 3)])
def test_a_delay_is_rounded_to_the_nearest_physics_step(delay: float, k: int) -> None:
    assert respond(bank(Actuator(torque_limit=10, delay=delay)), [1.0]) == [0.0] * k + [1.0] * (STEPS - k)


def test_joints_have_delays_of_their_own() -> None:
    both = bank(Actuator(torque_limit=10, delay=2 * DT), Actuator(torque_limit=10))
    both.hold([1.0, 5.0], STEPS)
    assert [both.torque([STILL, STILL]) for _ in range(STEPS)] == [[0.0, 5.0], [0.0, 5.0], [1.0, 5.0], [1.0, 5.0]]


def test_an_episode_begins_with_its_own_command_under_way() -> None:
    delayed = bank(Actuator(torque_limit=10, gain=-1.0, delay=3 * DT))
    respond(delayed, [9.0, 9.0])
    delayed.start([0.5])
    assert respond(delayed, [0.0, 0.0]) == [-0.5] * 3 + [0.0] * 5


def test_an_episode_cut_short_leaves_nothing_behind() -> None:
    delayed = bank(Actuator(torque_limit=10, delay=5 * DT))
    delayed.hold([9.0], STEPS)
    delayed.torque([STILL])
    delayed.start([0.0])
    assert respond(delayed, [0.0, 0.0, 0.0]) == [0.0] * 12


def test_parameters_act_from_the_next_start_all_together() -> None:
    changing = bank(Actuator(torque_limit=10))
    changing.actuators[0].gain, changing.actuators[0].delay, changing.actuators[0].coulomb = 2.0, DT, 0.3
    assert respond(changing, [1.0]) == [1.0] * 4
    changing.start([0.0])
    assert respond(changing, [1.0]) == [0.0] + [2.0] * 3
    changing.hold([1.0], STEPS)
    assert changing.torque([(0.0, 100.0, (), 0.0)]) == [pytest.approx(1.7)]


def test_the_caller_may_reuse_its_command() -> None:
    delayed = bank(Actuator(torque_limit=10, delay=STEPS * DT))
    command = [1.0]
    delayed.hold(command, STEPS)
    command[0] = 7.0
    for _ in range(STEPS):
        delayed.torque([STILL])
    delayed.hold([0.0], STEPS)
    assert delayed.torque([STILL]) == [1.0]
