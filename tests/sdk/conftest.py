"""One short run on the real servo arm, for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdk.train import train
from tests.sdk.command_line import Simshift, command_line
from tests.sdk.tiny_runs import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(tiny(), folder)
    return folder


@pytest.fixture
def simshift(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Simshift:
    """The command line, run in this process."""
    return command_line(monkeypatch, capfd)
