"""The certificate: measured beside its peers, written into the bundle, and lost by nothing but a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bundle import MODEL_CARD, Bundle, read_bundle, write_bundle
from export.certify import certify, measure_certificate
from export.cold_start import cold_start
from export.inspection import inspect
from export.verify import require_golden


@pytest.fixture(scope="module")
def certified(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("certified") / "b.zip"
    write_bundle(path, bundle.manifest, bundle.files)
    certificate, absent = measure_certificate(path, ticks=60, paced_ticks=50, loop_seconds=0.2)
    assert not absent
    certify(path, certificate)
    return read_bundle(path)


def test_everything_is_measured_in_both_ways(certified: Bundle) -> None:
    certificate = certified.manifest.certificate
    assert certificate is not None
    kinds = ("identity", "graph", "policy_step", "numpy", "torch")
    assert [(t.name, t.paced) for t in certificate.ticks] == [(k, paced) for paced in (False, True) for k in kinds]
    memory = {start.name: start.memory_mb for start in certificate.starts}
    assert memory.keys() == {"simshift", "torch"}
    assert certificate.loop is not None
    assert (certificate.loop.rate, certificate.loop.periods >= 100) == (500.0, True)
    assert memory["simshift"] is None or memory["torch"] is None or memory["simshift"] < memory["torch"]


def test_a_certified_bundle_is_sound_and_says_it(certified: Bundle, bundle: Bundle) -> None:
    require_golden(certified)
    card = certified.files[MODEL_CARD].decode()
    assert "## Certificate\n\nMeasured on " in card
    assert "The whole loop, 500 times a second on one core: of 1" in card
    assert certified.manifest.model_copy(update={"certificate": None, "files": {}}) == bundle.manifest.model_copy(
        update={"files": {}}
    )


def test_a_bundle_without_one_is_written_as_before_there_were_any(bundle: Bundle, folder: Path) -> None:
    assert b"certificate" not in (folder / "manifest.yaml").read_bytes()
    assert b"Certificate" not in bundle.files[MODEL_CARD]


def test_a_process_that_cannot_act_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="simshift: .*no such bundle"):
        cold_start("simshift", tmp_path / "nowhere")


def test_inspection_shows_what_a_person_asks_for(certified: Bundle, bundle: Bundle) -> None:
    facts = inspect(certified)
    assert (facts["algorithm"], facts["robot"], facts["control_dt"]) == ("rl2", "servo_arm", 0.02)
    assert facts["joints"][0]["name"] == "shoulder"
    assert (facts["joints"][0]["low"], facts["joints"][0]["high"]) == (-10.0, 10.0)
    assert facts["carry"] == [{"name": "memory", "shape": [16], "reset": "trial", "initial": 0.1}]
    graph = facts["graphs"]["step.onnx"]
    assert (graph["ir_version"], graph["opset"], graph["says"]["robot"]) == (8, 18, "servo_arm")
    assert {file["name"]: file["bytes"] for file in facts["files"]} == {k: len(v) for k, v in certified.files.items()}
    assert facts["certificate"]["ticks"]
    assert inspect(bundle)["certificate"] is None
    assert facts["signed_by"] is None
