from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import pytest
import torch
from torch import nn

from domain_rand.schema import ConfigError
from sdk.checkpoint import CHECKPOINT, CONFIG, METRICS, PLAYED, RunFolder, write_atomic
from sdk.config import resolve_config
from sdk.rl.rollout import Rollout
from sdk.train import _keep, _restore


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", resolve_config("rl2"))


def test_what_is_saved_is_loaded(run: RunFolder) -> None:
    run.save({"iteration": 3, "policy": {"w": torch.tensor([1.5])}})
    state = run.load()
    assert (state["iteration"], state["policy"]["w"].item()) == (3, 1.5)
    assert run.config() == resolve_config("rl2")


def test_a_kill_before_the_replacement_leaves_the_old_checkpoint(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.save({"iteration": 1})
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", _killed)
        with pytest.raises(KeyboardInterrupt):
            run.save({"iteration": 2})
    assert run.load()["iteration"] == 1
    run.save({"iteration": 2})
    assert run.load()["iteration"] == 2


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", _killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new, and longer")
    assert path.read_bytes() == b"old"


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


# --- what was played -------------------------------------------------------------------------------------------------


class Diary(nn.Module):
    """A learner that remembers the last two rollouts, and learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.policy, self.kept = nn.Linear(1, 1), deque[Rollout](maxlen=2)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        self.remember(rollout)
        return {}

    @property
    def remembers(self) -> int:
        return len(self.kept)

    def remember(self, rollout: Rollout) -> None:
        self.kept.append(rollout)


def block(number: float) -> Rollout:
    return Rollout(**dict.fromkeys(Rollout.__dataclass_fields__, torch.full((2, 3), number)))


def kept(learner: Diary) -> list[float]:
    return [float(rollout.reward[0, 0]) for rollout in learner.kept]


def files(run: RunFolder) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (run.path / PLAYED).iterdir()}


def going_on(run: RunFolder) -> tuple[list[float], int]:
    learner = Diary()
    iteration = _restore(run, learner)
    return kept(learner), iteration


def test_what_was_played_is_written_once_and_kept_as_long_as_it_is_learned_from(run: RunFolder) -> None:
    learner, seen = Diary(), []
    for iteration in range(4):
        learner.remember(block(iteration))
        _keep(run, learner, learner.kept[-1], iteration)
        seen.append(files(run))
        assert going_on(run) == (kept(learner), iteration + 1)
    assert [sorted(names) for names in seen[-2:]] == [["000001.pt", "000002.pt"], ["000002.pt", "000003.pt"]]
    assert seen[2]["000002.pt"] == seen[3]["000002.pt"]
    assert (run.path / CHECKPOINT).stat().st_size < 12_000


@pytest.mark.parametrize("replacements", [0, 1, 2])
def test_a_kill_at_any_time_leaves_a_run_that_goes_on(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, replacements: int
) -> None:
    """Before what was played is there, before the checkpoint is, and before what is not needed is gone."""
    learner = Diary()
    for iteration in range(3):
        learner.remember(block(iteration))
        _keep(run, learner, learner.kept[-1], iteration)
    learner.remember(block(3))
    left, replace = [replacements], os.replace

    def killed_later(*paths: Path) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed_later)
        patched.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            _keep(run, learner, learner.kept[-1], 3)
    assert going_on(run) == (([2, 3], 4) if replacements == 2 else ([1, 2], 3))


def test_what_was_played_and_is_damaged_or_gone_says_how_to_go_on(run: RunFolder) -> None:
    learner = Diary()
    learner.remember(block(0))
    _keep(run, learner, learner.kept[-1], 0)
    (path,) = (run.path / PLAYED).iterdir()
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ConfigError, match=r"000000\.pt, which this run still learns from, .*--resume starts over"):
        going_on(run)
    path.unlink()
    with pytest.raises(ConfigError, match="still learns from"):
        going_on(run)


def test_a_damaged_checkpoint_says_how_to_go_on(run: RunFolder) -> None:
    run.save({"iteration": 1, "policy": {"w": torch.zeros(1000)}})
    path = run.path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ConfigError, match=r"checkpoint\.pt is damaged .*delete it, and --resume starts over"):
        run.load()


def test_a_checkpoint_that_would_run_code_is_refused(run: RunFolder) -> None:
    torch.save({"version": 2, "iteration": Path()}, run.path / CHECKPOINT)
    with pytest.raises(ConfigError, match="is damaged"):
        run.load()


def test_another_version_is_refused(run: RunFolder) -> None:
    torch.save({"version": 7}, run.path / CHECKPOINT)
    with pytest.raises(ConfigError, match="has version 7; this release reads version 3"):
        run.load()


def test_a_run_without_a_checkpoint_says_how_to_go_on(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"has no checkpoint\.pt: the run stopped before its first; .*--resume"):
        run.load()


def test_a_folder_that_is_no_run_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run: it has no config\.yaml; start one with: simshift train"):
        RunFolder(tmp_path).config()


def test_a_run_is_never_overwritten(run: RunFolder) -> None:
    run.save({"iteration": 1})
    with pytest.raises(ConfigError, match="holds a run already: continue it with --resume, or choose another folder"):
        RunFolder.create(run.path, resolve_config("robust"))
    assert run.config().algo == "rl2"


def test_a_run_that_got_nowhere_may_be_started_anew_without_its_rows(run: RunFolder) -> None:
    run.append_metrics({"iteration": 0, "return": 1.0})
    again = RunFolder.create(run.path, resolve_config("robust"))
    assert again.config().algo == "robust"
    assert again.metrics() == []


def test_metrics_after_the_checkpoint_are_dropped_and_the_rest_kept_to_the_byte(run: RunFolder) -> None:
    for iteration in range(3):
        run.append_metrics({"iteration": iteration, "return": 0.1 + iteration})
    before = (run.path / METRICS).read_text()
    run.keep_metrics_before(2)
    assert (run.path / METRICS).read_text() == "".join(before.splitlines(keepends=True)[:2])
    run.append_metrics({"iteration": 2, "return": 2.1})
    assert (run.path / METRICS).read_text() == before


def test_a_half_written_last_line_is_left_out(run: RunFolder) -> None:
    run.append_metrics({"iteration": 0, "return": 1.0})
    with (run.path / METRICS).open("a") as file:
        file.write('{"iteration": 1, "ret')
    assert run.metrics() == [{"iteration": 0, "return": 1.0}]
    run.keep_metrics_before(1)
    run.append_metrics({"iteration": 1, "return": 2.0})
    assert [row["return"] for row in run.metrics()] == [1.0, 2.0]


def test_a_half_written_configuration_is_named(run: RunFolder) -> None:
    path = run.path / CONFIG
    path.write_text(path.read_text()[:40])
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        run.config()
