"""A run folder: resolved configuration, metrics by iteration, and one checkpoint replaced atomically.

What was played, and is still learned from, is beside the checkpoint, a file for each iteration: each is written once.
`metrics.jsonl` holds only what the seed determines, so two equal runs have equal files, interrupted or not.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from domain_rand.schema import ConfigError
from sdk.config import TrainConfig

CHECKPOINT, CONFIG, METRICS, PLAYED = "checkpoint.pt", "config.yaml", "metrics.jsonl", "played"
VERSION = 3


@dataclass(frozen=True)
class RunFolder:
    """The files of one training run."""

    path: Path

    @staticmethod
    def create(path: Path, config: TrainConfig) -> RunFolder:
        """Begin a new run; raises `ConfigError` when the folder holds one that got as far as a checkpoint."""
        run = RunFolder(path)
        if run.has_checkpoint:
            raise ConfigError(f"{path} holds a run already: continue it with --resume, or choose another folder")
        path.mkdir(parents=True, exist_ok=True)
        run.keep_metrics_before(0)
        write_atomic(path / CONFIG, config.to_yaml().encode())
        return run

    @property
    def is_started(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / CONFIG).is_file()

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to continue from, or to evaluate."""
        return (self.path / CHECKPOINT).is_file()

    def config(self) -> TrainConfig:
        """Return the configuration the run was started with."""
        if not self.is_started:
            raise ConfigError(
                f"{self.path} is not a run: it has no {CONFIG}; start one with: simshift train ALGO --to {self.path}"
            )
        return TrainConfig.load(self.path / CONFIG)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint; a crash at any instant leaves the old or the new one."""
        _save({"version": VERSION, **state}, self.path / CHECKPOINT)

    def keep_played(self, iteration: int, rollout: dict[str, Tensor]) -> None:
        """Write what an iteration played, once; to be called before its checkpoint is saved."""
        self._played(iteration).parent.mkdir(exist_ok=True)
        _save(rollout, self._played(iteration))

    def played(self, iteration: int) -> dict[str, Tensor]:
        """Return what an iteration played; raises `ConfigError` when that is missing or damaged."""
        path = self._played(iteration)
        try:
            rollout: dict[str, Tensor] = torch.load(path, weights_only=True)
        except Exception as error:
            raise ConfigError(
                f"{path}, which this run still learns from, cannot be read ({type(error).__name__}); delete "
                f"{self.path / CHECKPOINT}, and --resume starts over"
            ) from None
        return rollout

    def forget_played_before(self, iteration: int) -> None:
        """Delete what earlier iterations played; to be called once no checkpoint needs it."""
        for path in (self.path / PLAYED).glob("*.pt"):
            if int(path.stem) < iteration:
                path.unlink()

    def _played(self, iteration: int) -> Path:
        return self.path / PLAYED / f"{iteration:06d}.pt"

    def load(self) -> dict[str, Any]:
        """Return the last checkpoint; raises `ConfigError` when it is missing, damaged or of another version."""
        path = self.path / CHECKPOINT
        if not self.has_checkpoint:
            raise ConfigError(f"{self.path} has no {CHECKPOINT}: the run stopped before its first; go on with --resume")
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except Exception as error:
            raise ConfigError(
                f"{path} is damaged ({type(error).__name__}); delete it, and --resume starts over"
            ) from None
        if state.get("version") != VERSION:
            raise ConfigError(f"{path} has version {state.get('version')}; this release reads version {VERSION}")
        return state

    def append_metrics(self, row: dict[str, float]) -> None:
        """Add one iteration's row."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def metrics(self) -> list[dict[str, float]]:
        """Return all rows so far; a half-written last line is left out."""
        path = self.path / METRICS
        if not path.is_file():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def keep_metrics_before(self, iteration: int) -> None:
        """Drop the rows of iterations that will be repeated."""
        rows = [row for row in self.metrics() if row["iteration"] < iteration]
        write_atomic(self.path / METRICS, "".join(json.dumps(row) + "\n" for row in rows).encode())


def _save(data: dict[str, Any], path: Path) -> None:
    part = path.with_name(path.name + ".part")
    torch.save(data, part)
    _replace(part, path)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or none."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    _replace(part, path)


def _replace(part: Path, path: Path) -> None:
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
