"""Bundles that between them use all a client must understand."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bundle import STEP_GRAPH, read_bundle, write_bundle
from export.step_graph import StepGraph
from export.to_onnx import to_onnx, with_metadata
from tests.export.adapting_bundle import adapting_bundle
from tests.export.tiny_policy import EpisodicGru, Memoryless, NoNormaliser, TinyGru, export_tiny, servo_arm
from tests.export.two_joints import two_joint_bundle


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Memory for a trial, for an episode beside a list of initial values, none, two joints, and one that adapts."""
    root = tmp_path_factory.mktemp("bundles")
    policies = {"trial": TinyGru(), "episode": EpisodicGru(), "none": Memoryless()}
    paths = {name: export_tiny(root / name, policy) for name, policy in policies.items()}
    two_joint_bundle(root / "joints")
    adapting_bundle(root / "adapting")
    return {**paths, "joints": root / "joints", "adapting": root / "adapting"}


@pytest.fixture(scope="session")
def wrong(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A well sealed bundle whose graph is not the one that made its golden trace."""
    path, right = tmp_path_factory.mktemp("wrong") / "bundle", read_bundle(bundles["trial"])
    other = with_metadata(to_onnx(StepGraph(NoNormaliser(), servo_arm()[0])), right.manifest.graph_metadata)
    write_bundle(path, right.manifest, {**right.files, STEP_GRAPH: other})
    return path
