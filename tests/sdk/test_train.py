"""Training on the real servo arm: equal seeds give equal files, whoever collects and whatever is killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from domain_rand.schema import ConfigError
from sdk.checkpoint import CHECKPOINT, CONFIG, METRICS, RunFolder
from sdk.config import TrainConfig, resolve_config
from sdk.engines.local import LocalEngine, WorkerError, build_policy
from sdk.rl.rollout import Rollout
from sdk.train import Progress, load_policy, train, world_shape
from tests.sdk.tiny_runs import TINY, tiny

STEPS = 6 * 1200


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of RL² with one worker, from beginning to end."""
    folder = tmp_path_factory.mktemp("train") / "uninterrupted"
    train(tiny("rl2", f"steps={STEPS}", "workers=1"), folder)
    return folder


def metrics(folder: Path) -> bytes:
    return (folder / METRICS).read_bytes()


def weights(folder: Path) -> torch.Tensor:
    state = load_policy(folder)[1].state_dict()
    return torch.cat([tensor.flatten() for tensor in state.values()])


def assert_same_run(folder: Path, other: Path) -> None:
    assert metrics(folder) == metrics(other)
    assert torch.equal(weights(folder), weights(other))


def test_a_run_leaves_a_row_for_each_iteration_and_a_checkpoint(uninterrupted: Path) -> None:
    rows = RunFolder(uninterrupted).metrics()
    assert [(row["iteration"], row["steps"]) for row in rows] == [(i, 1200 * (i + 1)) for i in range(6)]
    assert all(-3 < row["return"] < 300 and 0 <= row["success"] <= 1 for row in rows)
    assert "NaN" not in metrics(uninterrupted).decode()
    config, policy, steps = load_policy(uninterrupted)
    assert (config.algo, steps, policy.training) == ("rl2", STEPS, False)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_same_seed_gives_the_same_bytes_with_one_worker_or_none(
    workers: int, uninterrupted: Path, tmp_path: Path
) -> None:
    train(tiny("rl2", f"steps={STEPS}", f"workers={workers}"), tmp_path / "run")
    assert_same_run(tmp_path / "run", uninterrupted)


def test_another_seed_gives_another_run(uninterrupted: Path, tmp_path: Path) -> None:
    train(tiny("rl2", "seed=1"), tmp_path / "run")
    first, other = (json.loads(metrics(folder).splitlines()[0]) for folder in (uninterrupted, tmp_path / "run"))
    assert first["return"] != other["return"]


def collected(config: TrainConfig, iterations: int) -> list[Rollout]:
    policy = build_policy(config, world_shape(config))
    engine = LocalEngine(config)
    try:
        return [engine.collect(policy, iteration) for iteration in range(iterations)]
    finally:
        engine.close()


def test_two_workers_collect_worlds_of_their_own_the_same_as_one_process() -> None:
    apart, here = (collected(tiny("robust", "trials=3", f"workers={n}"), 2) for n in (2, 0))
    contexts = torch.cat([rollout.context[0] for rollout in apart])
    assert len({tuple(context) for context in contexts.tolist()}) == 6
    for rollout, other in zip(apart, here, strict=True):
        assert torch.equal(rollout.context, other.context)
        torch.testing.assert_close(rollout.obs[:50], other.obs[:50], rtol=0, atol=1e-3)
        torch.testing.assert_close(rollout.action[:50], other.action[:50], rtol=0, atol=1e-3)


def test_more_workers_than_trials_leaves_some_out() -> None:
    (rollout,) = collected(tiny("robust", "trials=1", "workers=2"), 1)
    assert rollout.reward.shape == (300, 1)


def test_a_run_killed_at_any_instant_continues_to_the_same_bytes(uninterrupted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = [f"--set={override}" for override in [*TINY, f"steps={STEPS}", "workers=1"]]
    command = [sys.executable, "-m", "sdk.cli", "train", "rl2", "--to", str(folder), *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(folder / CHECKPOINT, process)
    os.kill(process.pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=30)  # returns when the worker, too, has closed its standard error
    assert "Traceback" not in errors
    assert RunFolder(folder).load()["iteration"] < 6
    train(RunFolder(folder).config(), folder, resume=True)
    assert_same_run(folder, uninterrupted)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_lost_worker_ends_the_run_with_what_to_do_and_doing_it_works(uninterrupted: Path, tmp_path: Path) -> None:
    folder, config = tmp_path / "run", tiny("rl2", f"steps={STEPS}", "workers=1")

    def kill_the_worker(progress: Progress) -> None:
        (worker,) = multiprocessing.active_children()
        worker.kill()

    with pytest.raises(WorkerError, match=r"worker 0 is gone \(exit code -9\); continue the run with --resume"):
        train(config, folder, report=kill_the_worker)
    assert not multiprocessing.active_children()
    assert len(RunFolder(folder).metrics()) == 1
    train(config, folder, resume=True)
    assert_same_run(folder, uninterrupted)


def test_a_worker_that_fails_passes_on_what_went_wrong() -> None:
    config = tiny("robust", "policy.hidden=[16]")
    larger = build_policy(config, world_shape(config))
    engine = LocalEngine(tiny("robust", "workers=1"))
    try:
        with pytest.raises(WorkerError, match=r"(?s)worker 0 failed: RuntimeError: .*size mismatch"):
            engine.collect(larger, 0)
    finally:
        engine.close()


def test_rows_of_an_iteration_that_never_reached_its_checkpoint_are_written_again(
    finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train(tiny(), folder, report=None)
    RunFolder(folder).append_metrics({"iteration": 2, "return": 1e9})
    with (folder / METRICS).open("a") as file:
        file.write('{"iteration": 3, "ret')
    train(RunFolder(folder).config(), folder, resume=True)
    assert_same_run(folder, finished)


def test_a_run_stopped_before_its_first_checkpoint_resumes_from_the_beginning(finished: Path, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", tiny())
    run.append_metrics({"iteration": 0, "return": 1e9})
    train(run.config(), run.path, resume=True)
    assert_same_run(run.path, finished)


def test_a_folder_that_holds_a_run_is_left_alone(finished: Path) -> None:
    before = metrics(finished)
    with pytest.raises(ConfigError, match="holds a run already: continue it with --resume, or choose another folder"):
        train(tiny(), finished)
    assert metrics(finished) == before


def test_an_unknown_robot_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown robot 'servo_arn'; did you mean 'servo_arm'\?"):
        train(tiny("robust", "robot=servo_arn"), tmp_path / "run")
    assert not (tmp_path / "run" / CONFIG).exists()


def test_progress_is_reported_after_each_iteration(tmp_path: Path) -> None:
    heard: list[Progress] = []
    train(tiny(), tmp_path / "run", report=heard.append)
    assert [(p.steps, p.total_steps) for p in heard] == [(1200, 2400), (2400, 2400)]
    assert [p.metrics for p in heard] == RunFolder(tmp_path / "run").metrics()


def test_a_robot_with_several_tasks_trains_on_the_one_named(tmp_path: Path) -> None:
    overrides = ["robot=ant", "task=hidden_direction", "steps=1", "trials=2", "robots=2", "workers=0"]
    config = resolve_config("rl2", None, [*overrides, "ppo.bptt=null", "ppo.minibatches=1"])
    shape = world_shape(config)
    assert shape.obs_size < world_shape(resolve_config("rl2", None, ["robot=ant"])).obs_size  # no direction is told
    train(config, tmp_path / "ant")
    assert load_policy(tmp_path / "ant")[2] == 2 * shape.trial_steps
