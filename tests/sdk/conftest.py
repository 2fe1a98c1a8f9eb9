"""One short run on the real servo arm, for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdk.config import TrainConfig, resolve_config
from sdk.train import train

torch.set_num_threads(1)

TINY = ["steps=2400", "trials=4", "robots=4", "workers=0", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1"]
"""Two iterations of four trials, 300 steps each."""


def tiny(algo: str = "robust", *overrides: str) -> TrainConfig:
    return resolve_config(algo, None, [*TINY, *overrides])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(tiny(), folder)
    return folder
