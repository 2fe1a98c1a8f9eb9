"""One exported bundle for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.bundle import Bundle, read_bundle
from export.parity import MIN_STEPS
from tests.export.adapting_bundle import adapting_bundle
from tests.export.tiny_policy import EpisodicGru, export_tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny(tmp_path_factory.mktemp("export") / "tiny", min_steps=MIN_STEPS)


@pytest.fixture(scope="session")
def bundle(folder: Path) -> Bundle:
    return read_bundle(folder)


@pytest.fixture(scope="session")
def episodic(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with one state that resets every episode and one that resets every trial."""
    return read_bundle(export_tiny(tmp_path_factory.mktemp("episodic") / "bundle.zip", EpisodicGru()))


@pytest.fixture(scope="session")
def adapting(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that adapts between episodes; tracing it takes seconds."""
    return adapting_bundle(tmp_path_factory.mktemp("adapting") / "bundle.zip")
