from __future__ import annotations

from dataclasses import replace
from math import sqrt, tanh

import pytest

from robots.actuator_bank import ActuatorBank
from robots.actuators import (
    COULOMB_VEL,
    Actuator,
    Play,
    friction_torque,
    loaded_friction,
    motor_torque,
    speed_limited,
    supply_load,
)
from robots.contract import Mode

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


def closed_loop(mode: Mode, *actuators: Actuator, sag: float = 0.0) -> ActuatorBank:
    made = ActuatorBank(actuators, DT, mode)
    made.supply_sag = sag
    made.start([0.0] * len(actuators))
    return made


def state(pos: float, vel: float) -> tuple[float, float, tuple[()], float]:
    return pos, vel, (), 0.0


DRIVE: dict[str, float] = {"torque_limit": 10.0, "kp": 40.0, "kd": 2.0}


@pytest.mark.parametrize(
    ("change", "torque"),
    [
        ({}, 40 * (0.5 - 0.4) - 2 * 1.0),
        ({"gain": -1.5}, -1.5 * 2.0),
        ({"strength": 0.5}, 0.5 * 2.0),
        ({"kp": 50.0}, 50 * 0.1 - 2),
        ({"kd": 1.0}, 40 * 0.1 - 1),
        ({"encoder_offset": 0.05}, 40 * (0.5 - 0.45) - 2),
        ({"kp": 400.0}, 10.0),
        ({"kp": 400.0, "strength": 0.5}, 5.0),
        ({"kp": 400.0, "gain": -1.0}, -10.0),
        ({"viscous": 0.1}, 2.0 - 0.1),
        ({"kp": 400.0, "viscous": 0.1}, 10.0 - 0.1),
        ({"dead_band": 2.1}, 0.0),
        ({"load_friction": 0.1}, 2.0 - 0.1 * 2.0),
        ({"load_friction": 0.1, "coulomb": 0.3}, 2.0 - (0.3 + 0.1 * 2.0)),
        ({"speed_limit": 4.0, "kp": 400.0}, 10 * (1 - 1.0 / 4)),
    ],
    ids=str,
)
def test_a_position_drive(change: dict[str, float], torque: float) -> None:
    drive = closed_loop("position", Actuator(**{**DRIVE, **change}))
    drive.hold([0.5], 1)
    assert drive.torque([state(0.4, 1.0)]) == [pytest.approx(torque)]


def test_a_velocity_drive() -> None:
    drive = closed_loop("velocity", Actuator(**DRIVE, gain=0.5))
    drive.hold([3.0], 1)
    assert drive.torque([state(9.0, 1.0)]) == [pytest.approx(0.5 * 2 * (3 - 1))]


@pytest.mark.parametrize("mode", ["torque", "position", "velocity"])
def test_the_cheap_ways_to_run_drives_equal_the_one_with_everything(mode: Mode) -> None:
    plain = [
        Actuator(**DRIVE, gain=-0.7, strength=0.8, viscous=0.2, coulomb=0.3, encoder_offset=0.02),
        Actuator(**{**DRIVE, "torque_limit": 0.4}),
    ]
    cheap, full = closed_loop(mode, *plain), closed_loop(mode, *[replace(d, speed_limit=9e3) for d in plain])
    for step in range(20):
        states = [state(0.1 * step - 1, 0.002 * step), state(0.5, -0.001 * step)]
        for made in (cheap, full):
            made.hold([0.3 * step - 3, 0.2], 1)
        assert cheap.torque(states) == pytest.approx(full.torque(states), abs=1e-4)


def test_torque_falls_with_speed_along_the_motion_only() -> None:
    assert speed_limited(10.0, 0.0, 10.0, 20.0) == 10
    assert speed_limited(10.0, 5.0, 10.0, 20.0) == pytest.approx(7.5)
    assert speed_limited(3.0, 5.0, 10.0, 20.0) == 3
    assert speed_limited(10.0, 25.0, 10.0, 20.0) == 0
    assert speed_limited(-10.0, -5.0, 10.0, 20.0) == pytest.approx(-7.5)
    assert speed_limited(10.0, -25.0, 10.0, 20.0) == 10


def test_a_sagging_supply_takes_torque_in_proportion_to_the_load_of_all_motors() -> None:
    assert supply_load([5.0, -5.0], [10.0, 10.0]) == 0.5
    assert supply_load([0.0], [0.0]) == 0.0
    both = closed_loop("torque", Actuator(10.0), Actuator(10.0), sag=0.2)
    both.hold([10.0, 10.0], 2)
    assert both.torque([STILL, STILL]) == pytest.approx([8.0, 8.0])
    both.hold([10.0, 0.0], 1)
    both.torque([STILL, STILL])
    assert both.torque([STILL, STILL]) == pytest.approx([9.0, 0.0])


def test_backlash_holds_torque_back_until_the_rotor_has_crossed() -> None:
    play, dt, inertia, torque = Play(), 1e-4, 0.02, 1.0
    assert play.transmit(torque, 0.1, inertia, dt) == 0.0
    first = _crossing(play, torque, 0.1, inertia, dt)
    assert first * dt == pytest.approx(sqrt(2 * 0.05 * inertia / torque), rel=0.01)  # from the middle
    assert play.transmit(torque, 0.1, inertia, dt) == torque
    back = _crossing(play, -torque, 0.1, inertia, dt)
    assert back * dt == pytest.approx(sqrt(2 * 0.1 * inertia / torque), rel=0.01)
    assert play.gap == -0.05


def _crossing(play: Play, torque: float, backlash: float, inertia: float, dt: float) -> int:
    steps = 1
    while play.transmit(torque, backlash, inertia, dt) == 0.0:
        steps += 1
    return steps


def test_a_drive_with_backlash_still_rubs_while_its_rotor_crosses() -> None:
    drive = closed_loop("torque", Actuator(10.0, backlash=0.5, viscous=0.1))
    drive.hold([5.0], 1)
    assert drive.torque([state(0.0, 2.0)]) == [pytest.approx(-0.2)]


def test_a_loaded_gear_rubs_more_whichever_way_its_motor_pushes() -> None:
    assert loaded_friction(0.3, 0.2, 5.0) == loaded_friction(0.3, 0.2, -5.0) == pytest.approx(1.3)
    drive = closed_loop("torque", Actuator(10.0, coulomb=0.3, load_friction=0.2))
    drive.hold([5.0], 3)
    assert drive.torque([state(0.0, 50.0)]) == [pytest.approx(5.0 - 1.3)]
    assert drive.torque([state(0.0, -50.0)]) == [pytest.approx(5.0 + 1.3)]
    assert drive.torque([STILL]) == [5.0]


def test_a_passive_joint_only_rubs() -> None:
    made = ActuatorBank([Actuator(10.0), Actuator(0.0, viscous=0.5)], DT, "torque", driven=1)
    made.hold([3.0], 1)
    assert made.torque([STILL, state(0.0, 2.0)]) == pytest.approx([3.0, -1.0])


def test_what_changes_within_an_episode_leaves_commands_under_way() -> None:
    made = bank(Actuator(torque_limit=10, delay=2 * DT))
    made.hold([1.0], STEPS)
    before = [made.torque([STILL])[0] for _ in range(3)]
    made.actuators[0].strength = 0.5
    made.refresh()
    made.hold([2.0], STEPS)
    assert before + [made.torque([STILL])[0] for _ in range(4)] == [0.0, 0.0, 1.0, 0.5, 0.5, 0.5, 1.0]
