"""The twin: over a real socket it is the same robot as in-process, and it survives every client."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from math import nan

import pytest

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import DriverError, Features, Reading
from robots.drivers.udp import UdpDriver
from robots.packets import EPISODE_START, PROTOCOL, Kind, Packet, encode, parse
from robots.twin.link import RobotLink
from robots.twin.scored import ScoredTrials
from robots.twin.server import Twin, TwinSettings, serve
from tests.robots.twin_process import LossyLine, TwinProcess, play_in_process


@pytest.fixture(scope="module")
def twin() -> Iterator[TwinProcess]:
    process = TwinProcess()
    yield process
    process.kill()


def connected(port: int, contract: Contract | None = None) -> UdpDriver:
    driver = UdpDriver("127.0.0.1", port, contract)
    driver.connect()
    return driver


def torque(tick: int) -> float:
    return 9.0 * math.sin(0.1 * tick)


def readings(driver: UdpDriver) -> Iterator[Reading]:
    """All readings of a session."""
    while not (reading := driver.read()).session_end:
        if not reading.trial_end:
            yield reading


def test_a_lockstep_session_is_the_same_trials_bit_for_bit(twin: TwinProcess, contract: Contract) -> None:
    driver = connected(twin.start(worlds=2, pace="lockstep"), contract)
    heard: list[Mapping[str, Sequence[float]]] = []
    for tick, reading in enumerate(readings(driver)):
        heard.append(reading.signals)
        driver.write({"shoulder": torque(tick)})
    driver.close()
    score = twin.score()
    sensed: list[list[float]] = []

    def play(trials: ScoredTrials, tick: int) -> None:
        sensed.append(trials.observation.tolist())
        trials.step([torque(tick)])

    assert play_in_process(play, worlds=2) == score.worlds
    assert [[v for values in signals.values() for v in values] for signals in heard] == sensed
    assert (score.ticks, score.missed_commands, score.clients, score.stopped) == (600, 0, 1, "all worlds played")
    assert json.loads(json.dumps(score.plain()))["worlds"][1]["return"] == score.worlds[1].total


def test_a_line_that_loses_and_doubles_packets_changes_nothing(twin: TwinProcess) -> None:
    lost: set[Kind] = set()

    def treat(count: int, packet: Packet) -> int:
        if count > 20 and packet.kind in (Kind.SENSE, Kind.COMMAND, Kind.END) and packet.kind not in lost:
            lost.add(packet.kind)
            return 0
        return 1 + (count % 7 == 0)

    line = LossyLine(twin.start(pace="lockstep"), treat)
    driver = connected(line.port)
    for tick, _ in enumerate(readings(driver)):
        driver.write({"shoulder": torque(tick)})
    driver.close()
    line.close()
    assert len(lost) == 3
    assert driver.old_packets > 0
    assert twin.score().worlds == play_in_process(lambda trials, tick: trials.step([torque(tick)]))


def test_in_real_time_no_episode_is_missed_whose_first_reading_is_lost(twin: TwinProcess) -> None:
    starts: list[int] = []

    def treat(count: int, packet: Packet) -> int:
        if packet.kind is Kind.SENSE and packet.flags & EPISODE_START:
            starts.append(packet.sequence)
        return int(not starts or packet.kind is not Kind.SENSE or packet.sequence != starts[-1] or len(starts) == 1)

    line = LossyLine(twin.start(), treat)
    driver = connected(line.port)
    begun = []
    for reading in readings(driver):
        begun += [reading.sequence] if reading.episode_start else []
        driver.write({"shoulder": 0.0})
    driver.close()
    line.close()
    assert twin.score().ticks == 300
    assert len(starts) == 3
    assert begun[0] == starts[0]
    assert all(0 < late - lost <= 3 for late, lost in zip(begun[1:], starts[1:], strict=True)), "the next that comes"


def test_a_different_command_gives_a_different_score() -> None:
    first = play_in_process(lambda trials, tick: trials.step([torque(tick)]))
    second = play_in_process(lambda trials, tick: trials.step([torque(tick) + (tick == 100)]))
    assert first[0].total != second[0].total


def test_the_unmodelled_effects_act() -> None:
    plain, both, cable = (
        play_in_process(lambda trials, tick: trials.step([torque(tick)]), effect=effect)[0].total
        for effect in ("none", "cable+cogging", "cable")
    )
    assert len({plain, both, cable}) == 3


def test_refused_commands_hold_the_last_one_until_the_watchdog(twin: TwinProcess) -> None:
    driver = connected(twin.start(pace="lockstep"))
    for tick, _ in enumerate(readings(driver)):
        driver.write({"shoulder": nan if 20 <= tick < 40 else 50.0 if tick == 60 else 4.0})
    driver.close()
    score = twin.score()

    def play(trials: ScoredTrials, tick: int) -> None:
        if 29 <= tick < 40:  # from 0.2 s after the last good command's period
            trials.step_safely()
        else:
            trials.step([10.0 if tick == 60 else 4.0])

    assert score.worlds == play_in_process(play)
    assert (score.refused_commands, score.safe_ticks, score.clamped_commands) == (20, 11, 1)


def test_wrong_sizes_and_strangers_change_nothing(twin: TwinProcess) -> None:
    port = twin.start(pace="lockstep")
    driver = connected(port)
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for tick, reading in enumerate(readings(driver)):
        if tick == 5:
            stranger.sendto(encode(Packet(Kind.COMMAND, reading.sequence, values=(10.0,))), ("127.0.0.1", port))
            stranger.sendto(b"noise", ("127.0.0.1", port))
            driver._reply(Packet(Kind.COMMAND, reading.sequence, values=(1.0, 2.0)))
        elif tick == 6:
            driver.stop()
        else:
            driver.write({"shoulder": 4.0})
    stranger.close()
    driver.close()
    score = twin.score()
    play = {6: ScoredTrials.step_safely}
    assert score.worlds == play_in_process(
        lambda trials, tick: play.get(tick, lambda trials: trials.step([4.0]))(trials)
    )
    assert (score.refused_commands, score.safe_ticks, score.bad_packets) == (1, 1, 2)


def test_a_silent_client_ends_its_lockstep_trial_and_is_scored(twin: TwinProcess) -> None:
    driver = connected(twin.start(pace="lockstep", worlds=2, client_timeout=0.3))
    for tick, _ in enumerate(readings(driver)):
        driver.write({"shoulder": 4.0})
        if tick == 149:
            break
    driver._socket = None  # gone without a goodbye
    score = twin.score()
    assert [(world.ticks, world.complete, len(world.per_episode)) for world in score.worlds] == [(150, False, 2)]
    assert score.worlds[0].success == (False,)
    assert score.stopped == (
        "the client went silent in world 0, its trial was given up; no client for 0.3 s, 1 world left"
    )


def test_control_c_keeps_the_score(twin: TwinProcess) -> None:
    driver = connected(twin.start(pace="lockstep"))
    for _ in range(10):
        driver.read()
        driver.write({"shoulder": 4.0})
    driver.read()
    twin.interrupt()
    score = twin.score()
    driver.close()
    assert score.stopped == "interrupted"
    assert [(world.ticks, world.complete) for world in score.worlds] == [(10, False)]


def test_another_client_may_play_the_next_world(twin: TwinProcess) -> None:
    port = twin.start(pace="lockstep", worlds=2)
    first = connected(port)
    first.read()
    with pytest.raises(DriverError, match="is driving this robot; stop it first"):
        connected(port)
    first.close()
    second = connected(port)
    assert len([second.write({"shoulder": 0.0}) for _ in readings(second)]) == 300
    second.close()
    score = twin.score()
    assert [(world.world, world.ticks) for world in score.worlds] == [(0, 0), (1, 300)]
    assert score.clients == 2


def test_the_robot_refuses_another_contract_and_another_protocol(twin: TwinProcess, contract: Contract) -> None:
    port = twin.start(pace="lockstep", client_timeout=0.1)
    other = Contract.parse(contract.plain() | {"robot": "elbow_arm"})
    message = f"refused: contracts differ.*elbow_arm .{other.fingerprint[:12]}.*servo_arm .{contract.fingerprint[:12]}"
    with pytest.raises(DriverError, match=message):
        connected(port, other)
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.settimeout(2.0)
    line.sendto(encode(Packet(Kind.HELLO, body={"protocol": PROTOCOL + 1})), ("127.0.0.1", port))
    assert "this robot speaks 1" in parse(line.recv(2000)).body["reason"]
    line.close()
    connected(port, contract).close()
    assert twin.score().clients == 1


def test_real_time_holds_late_commands_then_stops_then_obeys_again(twin: TwinProcess) -> None:
    driver = connected(twin.start(pace="realtime"))
    began = time.monotonic()
    for reading in readings(driver):
        if reading.sequence <= 50 or reading.sequence > 200:
            driver.write({"shoulder": 4.0})
        elif reading.sequence <= 60:
            time.sleep(0.025)
            driver.write({"shoulder": 4.0})
    seconds = time.monotonic() - began
    driver.close()
    score = twin.score()
    assert score.ticks == 300
    assert 5.9 < seconds < 6.3, "the schedule is absolute"
    assert 3 <= score.late_commands <= 20
    assert 140 <= score.missed_commands <= 200
    assert 120 <= score.safe_ticks <= 145
    assert score.safe_ticks < score.missed_commands - 8, "the first missed periods hold the previous command"


def test_a_late_command_acts_in_the_next_period_unless_a_newer_one_is_there(contract: Contract) -> None:
    link = RobotLink("127.0.0.1", 0, Features.of(contract))
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.connect(("127.0.0.1", link.port))
    line.send(encode(Packet(Kind.HELLO, body={"protocol": PROTOCOL})))
    assert link.wait_for_client(1.0)

    def period(sequence: int, *packets: Packet) -> tuple[int | None, int | None]:
        for packet in packets:
            line.send(encode(packet))
        answer = link.answer(sequence, time.monotonic() + 0.05)
        late = link.late_answer(3) if answer is None else None
        return (answer and answer.sequence, late and late.sequence)

    def command(sequence: int) -> Packet:
        return Packet(Kind.COMMAND, sequence, values=(float(sequence),))

    assert period(4, command(1), command(2)) == (None, None)  # answers to an episode that is over
    assert period(5, command(4), command(3)) == (None, 4)
    assert period(6) == (None, None)  # once
    assert period(7, command(7)) == (7, None)
    assert period(8, command(6)) == (None, None)  # older than what has acted
    assert period(9, command(8), command(9)) == (9, None)
    assert period(10, Packet(Kind.STOP, 9)) == (9, None)
    assert period(11, command(9), command(10)) == (None, 10)
    assert period(12, command(11), Packet(Kind.STOP, 11)) == (11, None)
    assert period(13) == (None, None)
    assert link.late_commands == 8
    line.close()
    link.close()


def test_in_real_time_a_policy_that_is_always_half_a_period_late_still_drives(twin: TwinProcess) -> None:
    driver = connected(twin.start(pace="realtime"))
    for tick, _ in enumerate(readings(driver)):
        time.sleep(0.026)
        driver.write({"shoulder": torque(tick)})
    driver.close()
    score = twin.score()
    assert score.missed_commands > 250
    assert score.safe_ticks == 0


def test_a_port_in_use_is_named() -> None:
    taken = Twin(TwinSettings())
    with pytest.raises(ConfigError, match=f"port {taken.port} on 127.0.0.1 is in use; pass another port, or 0"):
        serve(TwinSettings(port=taken.port))
    taken.close()
    Twin(TwinSettings(port=taken.port)).close()


def test_wrong_settings_are_explained() -> None:
    with pytest.raises(ConfigError, match="unknown key 'wolrds'; did you mean 'worlds'"):
        TwinSettings.parse({"wolrds": 3})
    with pytest.raises(ConfigError, match="unknown effect 'wind'"):
        Twin(TwinSettings(effect="cable+wind"))
    with pytest.raises(ConfigError, match="cannot listen on 203.0.113.1"):
        Twin(TwinSettings(host="203.0.113.1"))
