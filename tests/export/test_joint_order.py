"""Joints in another order: the golden trace, which knows no names, cannot notice; something else must."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bundle import STEP_GRAPH, read_bundle, write_bundle
from export.manifest import BundleError
from export.runtime.policy import Policy
from export.to_onnx import with_metadata
from tests.export.two_joints import permuted, two_joint_bundle, two_joints


def test_a_manifest_with_permuted_joints_does_not_get_this_graph(tmp_path: Path) -> None:
    bundle = two_joint_bundle(tmp_path / "leg")
    other = bundle.manifest.model_copy(update={"contract": permuted(two_joints())})
    write_bundle(tmp_path / "permuted", other, bundle.files)
    fingerprints = rf"made for contract {two_joints().fingerprint}, .* says {permuted(two_joints()).fingerprint}"
    with pytest.raises(BundleError, match=fingerprints):
        Policy.load(tmp_path / "permuted")


def test_without_what_the_graph_says_nothing_would_be_noticed(tmp_path: Path) -> None:
    """The control of the test above: the trace alone passes, and the hip gets the knee's command."""
    bundle = two_joint_bundle(tmp_path / "leg")
    other = bundle.manifest.model_copy(update={"contract": permuted(two_joints())})
    files = {**bundle.files, STEP_GRAPH: with_metadata(bundle.files[STEP_GRAPH], {})}
    write_bundle(tmp_path / "permuted", other, files)
    reading = {"joint_pos": [0.5, -0.5]}
    right, wrong = (Policy(read_bundle(tmp_path / name)).step(reading) for name in ("leg", "permuted"))
    assert wrong["knee"] == pytest.approx(right["hip"])
    assert right["hip"] != pytest.approx(right["knee"], abs=0.1)


def test_what_was_sent_is_taken_by_name_in_any_order(tmp_path: Path) -> None:
    policy = Policy(two_joint_bundle(tmp_path / "leg"))
    policy.sent({"knee": -1.0, "hip": 2.0})
    assert policy.last_command == {"hip": 2.0, "knee": -1.0}
