"""What a twin's faults do: to the line by a seed, to sensors and machine at their time, never beyond a trial."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import DriverTimeout, Reading
from robots.drivers.udp import UdpDriver
from robots.robot_env import RobotEnv
from robots.twin.faults import Change, Faults, Freeze, LineFaults, Switch
from robots.twin.line import Direction, Line
from robots.twin.scored import ScoredTrials, WorldScore, slot_ticks
from robots.twin.server import Twin, TwinScore, TwinSettings
from sdk.through_twin import scored
from tests.robots.twin_process import TwinProcess

ADDRESS = ("127.0.0.1", 9)


def through(
    faults: LineFaults, packets: int = 2000, seed: str = "0", period: float = 0.02
) -> tuple[list[int], Direction]:
    """Send numbered packets, one each period; returns the numbers in order of arrival."""
    direction, heard = Direction(faults, seed), []
    for i in range(packets + 100):
        now = i * period
        if i < packets:
            direction.put(now, i.to_bytes(4, "little"), ADDRESS)
        while (packet := direction.get(now)) is not None:
            heard.append(int.from_bytes(packet[0], "little"))
    return heard, direction


def test_a_line_without_faults_is_transparent() -> None:
    heard, direction = through(LineFaults())
    assert heard == list(range(2000))
    assert direction.count.plain() == {"packets": 2000, "lost": 0, "duplicated": 0, "reordered": 0, "max_delay": 0.0}


def test_loss_and_duplicates_have_their_probability() -> None:
    heard, direction = through(LineFaults(loss=0.1, duplicate=0.2))
    assert direction.count.lost == 2000 - len(set(heard)) == pytest.approx(200, abs=45)
    assert direction.count.duplicated == len(heard) - len(set(heard)) == pytest.approx(360, abs=60)
    assert heard == sorted(heard), "loss alone reorders nothing"


def test_latency_delays_and_jitter_spreads() -> None:
    direction = Direction(LineFaults(latency=0.1, jitter=0.05), "0")
    for _ in range(1000):
        direction.put(0.0, b"", ADDRESS)
    assert direction.get(0.0999) is None
    late = 0
    while direction.get(0.125) is not None:
        late += 1
    assert late == pytest.approx(500, abs=60)
    while direction.get(0.15) is not None:
        late += 1
    assert (late, direction.due) == (1000, None)
    assert 0.149 < direction.count.max_delay <= 0.15


def test_packets_that_are_held_back_are_overtaken_and_counted() -> None:
    heard, direction = through(LineFaults(reorder=0.1, hold=0.05))
    assert sorted(heard) == list(range(2000))
    overtaken = sum(number < max(heard[: i + 1]) for i, number in enumerate(heard))
    assert overtaken == direction.count.reordered == pytest.approx(200, abs=45)


def test_equal_seeds_lose_the_same_packets_and_others_do_not() -> None:
    faults = LineFaults(loss=0.3)
    assert through(faults)[0] == through(faults)[0] != through(faults, seed="1")[0]
    lost = set(range(2000)) - set(through(faults)[0])
    more = set(range(2000)) - set(through(LineFaults(loss=0.4, jitter=0.1, duplicate=0.5))[0])
    assert lost < more, "another fault does not draw other losses"


def test_a_late_packet_goes_out_while_its_sender_waits() -> None:
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in ends:
        end.bind(("127.0.0.1", 0))
        end.setblocking(False)
    line = Line(ends[0], Faults(to_policy=LineFaults(latency=0.05)))
    line.send(b"late", ends[1].getsockname())
    with pytest.raises(BlockingIOError):
        ends[1].recv(10)
    assert not line.wait(time.monotonic() + 0.06)
    assert ends[1].recv(10) == b"late"
    line.close()
    line.close()
    ends[1].close()


def play(faults: Faults, worlds: int = 1) -> tuple[list[WorldScore], np.ndarray]:
    trials = ScoredTrials("servo_arm", range(worlds), 0, "held_out", "none", faults=faults)
    heard = []
    while trials.left:
        trials.begin()
        while trials.running:
            heard.append(trials.observation)
            trials.step([4.0 * np.sin(0.1 * len(heard))])
    trials.close()
    return trials.scores, np.array(heard)


@pytest.fixture(scope="module")
def healthy() -> tuple[list[WorldScore], np.ndarray]:
    return play(Faults(), worlds=2)


def test_a_frozen_signal_stands_still_and_the_robot_does_not(healthy: tuple[list[WorldScore], np.ndarray]) -> None:
    scores, heard = play(Faults(freeze=(Freeze(signal="joint_pos", start=1.0, stop=2.5),)), worlds=2)
    expected = healthy[1].copy()
    for first in (0, 300):
        expected[first + 50 : first + 125, 0] = expected[first + 50, 0]
    assert np.array_equal(heard, expected), "in every trial, this signal and no other"
    assert scores == healthy[0]


def test_a_switch_changes_the_machine_from_its_time_on(healthy: tuple[list[WorldScore], np.ndarray]) -> None:
    scores, heard = play(Faults(switch=(Switch(at=2.4, params={"payload_mass": 3.0, "motor_gain": 1.0}),)), worlds=2)
    for world, first in zip((0, 1), (0, 300), strict=True):
        same = (heard[first : first + 300] == healthy[1][first : first + 300]).all(1)
        assert same[:121].all(), "what is sensed before the switch, in the second world too: it does not leak"
        assert not same[121:].all()
        before, after = scores[world], healthy[0][world]
        assert before.phase_ticks == (120, 180)
        assert sum(before.per_phase) == pytest.approx(before.total)
        assert before.params == after.params
    assert healthy[0][0].phase_ticks == (300,)
    assert healthy[0][0].per_phase == (pytest.approx(healthy[0][0].total),)


def test_a_switch_may_scale_what_each_world_has(healthy: tuple[list[WorldScore], np.ndarray]) -> None:
    gains = [score.params["motor_gain"] for score in healthy[0]]
    scaled, _ = play(Faults(switch=(Switch(at=2.4, scale={"motor_gain": 0.5}),)), worlds=2)
    for world, gain in enumerate(gains):
        to_value, _ = play(Faults(switch=(Switch(at=2.4, params={"motor_gain": 0.5 * gain}),)), worlds=2)
        assert scaled[world] == to_value[world]
    assert gains[0] != gains[1]
    assert Change(params={"a": 1.0}, scale={"b": 0.5}).values({"a": 7.0, "b": 4.0}) == {"a": 1.0, "b": 2.0}


def test_slots_of_a_tenth_of_a_second_make_up_episodes_and_phases() -> None:
    (score, *_), _ = play(Faults(switch=(Switch(at=2.4, params={"payload_mass": 3.0}),)))
    assert len(score.per_slot) == 60
    assert [sum(score.per_slot[k : k + 20]) for k in (0, 20, 40)] == pytest.approx(score.per_episode)
    assert sum(score.per_slot[:24]) == pytest.approx(score.per_phase[0])
    assert [slot_ticks(dt) for dt in (0.01, 0.02, 0.05, 0.5)] == [10, 5, 2, 1]


def test_an_episode_that_was_ever_on_target_reached_it() -> None:
    (score,), _ = play(Faults())
    assert len(score.reached) == len(score.per_episode) == 3
    assert all(ever >= at_the_end for ever, at_the_end in zip(score.reached, score.success, strict=True))
    assert any(score.reached)
    assert scored([score.plain()]).reached.tolist() == [list(map(float, score.reached))]  # type: ignore[union-attr]


def test_a_switch_outlives_the_episode_and_not_the_world() -> None:
    env = RobotEnv("servo_arm", stream="held_out")

    def mass() -> float:
        return env.robot.read("link", "payload", "mass")

    env.reset(seed=0, options={"world": 0})
    drawn = mass()
    env.switch({"payload_mass": 3.0})
    assert mass() == pytest.approx(3.0)
    assert env.context.params["payload_mass"] == 3.0
    env.begin_episode(1)
    assert mass() == pytest.approx(3.0)
    env.reset(seed=0, options={"world": 0})
    assert mass() == drawn != pytest.approx(3.0)
    for params, error in (({"payload": 1.0}, ConfigError), ({"payload_mass": -1.0}, ValueError)):
        with pytest.raises(error):
            env.switch(params)
        assert mass() == drawn
    env.close()


@pytest.fixture(scope="module")
def twin() -> Iterator[TwinProcess]:
    process = TwinProcess()
    yield process
    process.kill()


def readings(driver: UdpDriver) -> Iterator[Reading]:
    while not (reading := driver.read()).session_end:
        if not reading.trial_end:
            yield reading


def drive(
    twin: TwinProcess, contract: Contract, faults: Faults, **settings: object
) -> tuple[TwinScore, UdpDriver, list[int]]:
    driver = UdpDriver("127.0.0.1", twin.start(faults=faults, effect="none", **settings), contract)
    driver.connect()
    heard = []
    for reading in readings(driver):
        heard.append(reading.sequence)
        driver.write({"shoulder": 4.0 * np.sin(0.1 * len(heard))})
    driver.close()
    return twin.score(), driver, heard


def test_over_the_line_the_faults_are_the_same(twin: TwinProcess, contract: Contract) -> None:
    faults = Faults(
        freeze=(Freeze(signal="joint_vel", start=1.0),), switch=(Switch(at=2.0, params={"payload_mass": 2.0}),)
    )
    score, *_ = drive(twin, contract, faults, pace="lockstep", worlds=2)
    assert score.worlds == play(faults, worlds=2)[0]


def test_a_lossy_lockstep_session_is_the_same_trial(twin: TwinProcess, contract: Contract) -> None:
    """Repeated readings are answered again, so nothing but time is lost, and no answer counts twice."""
    bad = LineFaults(loss=0.02, duplicate=0.2, jitter=0.002)
    score, driver, heard = drive(twin, contract, Faults(to_policy=bad, to_robot=bad), pace="lockstep", worlds=2)
    assert score.worlds == play(Faults(), worlds=2)[0]
    assert len(heard) == 600
    assert driver.old_packets > 50
    assert score.duplicate_packets > 50
    assert (score.late_commands, score.safe_ticks, score.bad_packets) == (0, 0, 0)
    assert min(score.line["to_policy"].lost, score.line["to_robot"].lost) > 3


def test_a_bad_line_in_real_time_is_survived_and_counted(twin: TwinProcess, contract: Contract) -> None:
    bad = LineFaults(loss=0.1, duplicate=0.1, latency=0.002, jitter=0.004, reorder=0.1, hold=0.03)
    score, driver, heard = drive(twin, contract, Faults(to_policy=bad, to_robot=bad), pace="realtime")
    assert score.ticks == 300
    assert heard == sorted(set(heard)), "never an old reading, never one twice"
    to_policy, to_robot = score.line["to_policy"], score.line["to_robot"]
    assert 10 <= to_policy.lost <= 60
    assert to_policy.reordered >= 5
    assert driver.old_packets >= to_policy.duplicated // 2
    assert score.missed_commands >= to_robot.lost // 2
    assert score.late_commands > 5, "what was held back came, too late"
    assert score.plain()["line"]["to_robot"]["lost"] == to_robot.lost
    assert score.stopped == "all worlds played"


def test_a_robot_that_hears_nothing_is_not_there(twin: TwinProcess, contract: Contract) -> None:
    with pytest.raises(DriverTimeout, match="nobody answered"):
        UdpDriver(
            "127.0.0.1", twin.start(faults=Faults(to_robot=LineFaults(loss=1.0))), contract, connect_timeout=0.3
        ).connect()
    twin.interrupt()
    score = twin.score()
    assert score.clients == 0
    assert score.line["to_robot"].lost >= 2


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        "to_policy: {loss: 0.05, latency: 0.01}\n"
        "freeze: [{signal: joint_pos, start: 1.0, stop: 2.0}]\n"
        "switch: [{at: 3.0, params: {payload_mass: 1.5}}]\n"
    )
    faults = Faults.load(path)
    assert (faults.to_policy.loss, faults.to_robot.loss, faults.switch[0].params) == (0.05, 0.0, {"payload_mass": 1.5})


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"to_policy": {"los": 0.1}}, "unknown key 'faults.to_policy.los'; did you mean 'loss'"),
        ({"to_policy": {"loss": 1.5}}, "'faults.to_policy.loss' is 1.5"),
        ({"freeze": [{"signal": "joint_pos", "start": 2.0, "stop": 1.0}]}, "stop 1.0 s is not after start 2.0 s"),
        ({"freeze": [{"signal": "joint_pso", "start": 2.0}]}, "no signal 'joint_pso'; did you mean 'joint_pos'"),
        ({"switch": [{"at": 1.0, "params": {"payload": 1.0}}]}, "no parameter 'payload'; did you mean 'payload_mass'"),
        ({"switch": [{"at": 1.0, "params": {"payload_mass": -1.0}}]}, "payload_mass = -1: payload: link_mass = -1 kg"),
        ({"switch": [{"at": 1.0, "scale": {"payload": 0.5}}]}, "no parameter 'payload'; did you mean 'payload_mass'"),
        ({"switch": [{"at": 1.0, "scale": {"motor_gain": 10.0}}]}, "motor_gain = -15: shoulder: motor_gain = -15"),
        ({"switch": [{"at": 1.0}]}, "a change names at least one parameter, under params or scale"),
        ({"switch": [{"at": 1.0, "params": {"a": 1.0}, "scale": {"a": 1.0}}]}, "'a' is under both params and scale"),
    ],
)
def test_wrong_faults_are_explained_before_anything_moves(faults: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Twin(TwinSettings.parse({"faults": faults}))


def test_the_example_in_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs/drivers.md").read_text(encoding="utf-8")
    example = yaml.safe_load(page.partition("```yaml")[2].partition("```")[0])
    faults = Faults.parse(example)
    assert set(example) == set(Faults.model_fields)
    assert set(example["to_policy"]) == set(LineFaults.model_fields)
    Twin(TwinSettings(faults=faults)).close()
