"""Target rows from files and worlds, and what is said of those that do not fit."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from robots.contract import Contract
from robots.drivers.base import Reading
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin, Tick
from robots.spec import load_robot
from sdk.config import TrainConfig
from sdk.offdynamics.settings import RewardCorrection, TargetSettings
from sdk.offdynamics.target_data import (
    PlayedTarget,
    check_enough,
    check_ranges,
    check_rows,
    read_rows,
    target_of,
)
from sdk.offdynamics.transitions import Transitions, transitions_of
from sdk.rl.rollout import collect
from tests.sdk.tiny_runs import tiny
from tests.sdk.toy_worlds import TwoArms
from tests.sdk.untrained import untrained

CONTRACT = load_robot("servo_arm")[0].contract
JOINTS = len(CONTRACT.joints)


def record(path: Path, dt: float = CONTRACT.control_dt, silent: tuple[int, ...] = (), ticks: int = 60) -> Path:
    """Tick i reads i everywhere and sends i/100 of the first joint's scale, an episode every 20 ticks."""
    writer = create_recording(path, Origin(CONTRACT))
    for i in range(ticks):
        signals = {signal.name: [float(i)] * signal.size for signal in CONTRACT.signals}
        sent = {name: 0.01 * i * CONTRACT.action.scale[j] for j, name in enumerate(CONTRACT.joint_names)}
        reading = Reading(i + 1, dt * i, {} if i in silent else signals, episode_start=i % 20 == 0)
        writer.add(Tick(reading, sent, sent, 100.0), 0)
    writer.close(0)
    return path


@pytest.mark.parametrize("suffix", ["npz", "mcap"])
def test_a_recording_s_ticks_are_paired_within_episodes(tmp_path: Path, suffix: str) -> None:
    rows = read_rows([record(tmp_path / f"run.{suffix}")], CONTRACT)
    first = [i for i in range(59) if i % 20 != 19]
    assert rows.obs[:, 0].tolist() == first
    assert torch.equal(rows.next_obs, rows.obs + 1)
    offset = CONTRACT.action.offset[0] / CONTRACT.action.scale[0]
    np.testing.assert_allclose(rows.action[:, 0], np.array(first) / 100 - offset, atol=1e-6)
    assert rows.obs.shape == (57, CONTRACT.obs_size)
    assert float(rows.terminated.sum()) == 0


def test_ticks_without_a_reading_are_left_out_and_counted(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"run\.npz: 2 of 60 ticks lack a reading or a command"):
        rows = read_rows([record(tmp_path / "run.npz", silent=(3, 4))], CONTRACT)
    assert rows.size == 57 - 3
    assert bool(torch.isfinite(rows.obs).all())


def test_another_time_step_is_refused(tmp_path: Path) -> None:
    dt = CONTRACT.control_dt
    with pytest.raises(ConfigError, match=f"ticks are {2 * dt:.4g} s apart, and the run's control_dt is {dt}"):
        read_rows([record(tmp_path / "run.npz", dt=2 * dt)], CONTRACT)


def test_another_robot_s_recording_is_refused(tmp_path: Path) -> None:
    other = load_robot("cartpole")[0].contract
    with pytest.raises(ConfigError, match=f"an observation of {CONTRACT.obs_size} numbers .* the run's has"):
        read_rows([record(tmp_path / "run.npz")], other)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.npz or \.mcap or \.csv in there"):
        read_rows([tmp_path], CONTRACT)


def joints_only() -> Contract:
    """The arm, observing nothing but its joints."""
    data = CONTRACT.plain()
    data["signals"] = [s for s in data["signals"] if (s["source"] or s["name"]) in ("joint_pos", "joint_vel")]
    return Contract.parse(data)


def table(path: Path) -> Path:
    names = ["time", *(f"{kind}{j + 1}" for kind in ("pos_meas", "vel_meas", "tau_con") for j in range(JOINTS))]
    data = np.arange(10)[:, None] * np.ones(len(names))
    data[:, 0] *= CONTRACT.control_dt
    np.savetxt(path, data, delimiter=",", header=",".join(names), comments="")
    return path


def test_a_table_of_a_robot_that_observes_its_joints_is_read(tmp_path: Path) -> None:
    rows = read_rows([table(tmp_path / "run.csv")], joints_only())
    assert (rows.size, rows.obs[3].tolist()) == (9, [3.0] * 2 * JOINTS)


def test_a_table_does_not_hold_what_else_the_robot_observes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a log has joint_pos and joint_vel; the run also observes joint_pos_target"):
        read_rows([table(tmp_path / "run.csv")], CONTRACT)


# --- checks ------------------------------------------------------------------------------------------------------


def zeros(rows: int, obs: int = 2, action: int = 1) -> Transitions:
    return Transitions(torch.zeros(rows, obs), torch.zeros(rows, action), torch.zeros(rows, obs), torch.zeros(rows))


def test_rows_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(ConfigError, match="target rows: obs has 3 numbers, the run's has 2"):
        check_rows(zeros(500, obs=3), 2, 1)
    with pytest.raises(ConfigError, match="target rows: action has 2 numbers, the run's has 1"):
        check_rows(zeros(500, action=2), 2, 1)


def test_rows_that_are_not_numbers_are_counted() -> None:
    rows = zeros(500)
    rows.next_obs[[7, 9], 1] = torch.nan
    with pytest.raises(ConfigError, match="next_obs is not a number in 2 rows, first in row 7"):
        check_rows(rows, 2, 1)


def test_rows_too_few_for_the_clip_are_told_with_the_number_it_takes() -> None:
    with pytest.warns(UserWarning, match="100 target rows support a correction of 4.6 nats at most, .* takes 148 rows"):
        check_enough(100, clip=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_enough(149, clip=5)


def rows_within(count: int = 200) -> Transitions:
    obs, action = torch.zeros(count, CONTRACT.obs_size), torch.zeros(count, JOINTS)
    return Transitions(obs, action, obs.clone(), torch.zeros(count))


def test_a_signal_in_another_unit_is_refused_with_how_far_it_goes() -> None:
    check_ranges(rows_within(), CONTRACT)
    rows, signal = rows_within(), CONTRACT.signals[0]
    rows.obs[:50, 0] = 20 * signal.high
    far = f"{20 * signal.high:g}"
    with pytest.raises(ConfigError, match=rf"{signal.name} is outside .* in 25% of the rows, up to {far}"):
        check_ranges(rows, CONTRACT)


def test_commands_that_the_contract_would_cut_off_are_told() -> None:
    rows = rows_within()
    rows.action[:100] = 3.0
    with pytest.warns(UserWarning, match="50% have a command beyond the contract's limits, up to 3 times"):
        check_ranges(rows, CONTRACT)


def test_ticks_that_came_late_are_left_out_and_counted(tmp_path: Path) -> None:
    path = table(tmp_path / "run.csv")
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    rows[5:, 0] += 0.7 * CONTRACT.control_dt
    header = path.read_text(encoding="utf-8").splitlines()[0]
    np.savetxt(path, rows, delimiter=",", header=header, comments="")
    with pytest.warns(UserWarning, match=r"run\.csv: 1 of 9 pairs of ticks are not .* s apart, and left out"):
        assert read_rows([path], joints_only()).size == 8


def test_a_played_target_too_small_for_the_clip_is_told_before_anything_is_played() -> None:
    correction = RewardCorrection(target=target(effect="cable", share=0.01), clip=6)
    with pytest.warns(UserWarning, match="24 target rows support a correction of 3.2 nats at most"):
        target_of(tiny("robust"), correction)


# --- worlds ------------------------------------------------------------------------------------------------------


def target(**settings: object) -> TargetSettings:
    return TargetSettings.parse(settings)


def test_a_played_target_gives_rows_and_its_own_return() -> None:
    config = tiny("robust")
    found = PlayedTarget(config, target(effect="cable", share=0.25)).collect(
        untrained("robust", sizes_of(config), hidden=(8,)), 0
    )
    assert found.rows.size == 300
    assert found is not None
    assert found.trial_return is not None


def test_a_small_share_plays_a_trial_now_and_then() -> None:
    played = PlayedTarget(tiny("robust", "trials=2"), target(effect="cable", share=0.2))
    counts = [played._played_by(i + 1) - played._played_by(i) for i in range(10)]
    assert counts == [1, 0, 1, 0, 0, 1, 0, 1, 0, 0]


def sizes_of(config: TrainConfig):  # type: ignore[no-untyped-def]
    from sdk.algos.base import Sizes
    from sdk.train import world_shape

    shape = world_shape(config)
    return Sizes(shape.obs_size, shape.action_size, shape.context_size, shape.reads_reward)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"effect": "cabel"}, "unknown effect 'cabel'; did you mean 'cable'"),
        ({"toy": {"shaping": 1.0}}, "'servo_arm' is a robot; valid: nominal, effect, params"),
    ],
)
def test_a_target_that_does_not_fit_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        target_of(tiny("robust"), RewardCorrection(target=target(**settings)))


@pytest.mark.parametrize("settings", [{}, {"effect": "cable", "recordings": ["a.npz"]}])
def test_a_target_is_one_thing(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="either recordings, or worlds"):
        target(**settings)


def test_rows_of_a_rollout_hold_what_was_sent_and_what_truly_followed() -> None:
    from sdk.algos.base import Sizes

    policy = untrained("robust", Sizes(2, 1, 1, True), hidden=(8,))
    rollout = collect(TwoArms(3), policy, [0, 1, 2], seed=0, stream="train")
    rows = transitions_of(rollout)
    assert torch.equal(rows.next_obs[:6], rollout.final_obs[:, 0])
    # world 0 ends after steps 2 and 5: what was sent there is not reported, and half of every other action was
    half, limited = rollout.action[:, 0] / 2, rollout.action[:, 0].clamp(-1, 1)
    ends = torch.tensor([0, 1, 0, 0, 1, 1])[:, None] > 0
    torch.testing.assert_close(rows.action[:6], torch.where(ends, limited, half.clamp(-0.5, 0.5)))
