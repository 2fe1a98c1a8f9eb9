"""The commands about bundles, from a finished run to a signed and certified bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export.containers import MANIFEST
from sdk.ship import export_run
from sdk.train import train
from tests.export.two_joints import two_joint_bundle
from tests.sdk.command_line import Simshift
from tests.sdk.tiny_runs import tiny


@pytest.fixture(scope="session")
def shipped(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shipped") / "arm"
    export_run(finished, path, worlds=2)
    return path


@pytest.fixture
def bundle(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped, tmp_path / "arm"))


def test_a_bundle_is_signed_and_only_then_accepted(bundle: Path, simshift: Simshift, tmp_path: Path) -> None:
    made = json.loads(simshift("keygen", tmp_path / "a.key", "--json").out)
    assert simshift("keygen", tmp_path / "b.key").code == 0
    unsigned = simshift("verify", bundle, "--public-key", made["public"])
    assert (unsigned.code, "is not signed" in unsigned.err) == (2, True)
    assert simshift("sign", bundle, "--key", made["private"]).code == 0
    verified = json.loads(simshift("verify", bundle, "--public-key", made["public"], "--json").out)
    assert (verified["holds"], verified["signed_by"]) == (True, made["key"])
    assert json.loads(simshift("verify", bundle, "--json").out)["signed_by"] is None
    other = simshift("verify", bundle, "--public-key", tmp_path / "b.pub")
    assert (other.code, f"is signed by {made['key']}, not by" in other.err) == (2, True)


def test_a_robot_is_not_touched_by_an_unsigned_bundle(bundle: Path, simshift: Simshift, tmp_path: Path) -> None:
    simshift("keygen", tmp_path / "a.key")
    result = simshift("run", bundle, "--robot", "udp://127.0.0.1:9", "--public-key", tmp_path / "a.pub")
    assert (result.code, "is not signed" in result.err) == (2, True)


def test_what_is_inside_is_shown_to_people_and_to_machines(bundle: Path, simshift: Simshift) -> None:
    facts = json.loads(simshift("inspect", bundle, "--json").out)
    assert (facts["algorithm"], facts["robot"], facts["signed_by"]) == ("robust", "servo_arm", None)
    shown = simshift("inspect", bundle).out
    for text in (
        "robust for servo_arm: track_target",
        "not signed",
        "shoulder",
        "joint_vel",
        "step.onnx",
        "carry: none",
    ):
        assert text in shown


def test_looking_inside_needs_neither_torch_nor_onnx(bundle: Path) -> None:
    block = "import sys\nfor name in ('torch', 'onnx', 'pybullet', 'cryptography'): sys.modules[name] = None\n"
    program = f"{block}sys.argv = ['simshift', 'inspect', {str(bundle)!r}, '--json']\nfrom sdk.cli import main\nmain()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["graphs"]["step.onnx"]["opset"] == 18


@pytest.mark.slow
def test_a_certificate_is_written_only_on_demand(bundle: Path, simshift: Simshift) -> None:
    before = (bundle / MANIFEST).read_bytes()
    counts = ("--ticks", "50", "--paced-ticks", "50", "--loop-seconds", "0.2")
    facts = json.loads(simshift("bench", bundle, *counts, "--json").out)
    assert {t["name"] for t in facts["ticks"]} == {"identity", "graph", "policy_step", "numpy", "torch"}
    assert {s["name"] for s in facts["starts"]} == {"simshift", "torch"}
    assert facts["loop"]["periods"] >= 100
    assert (bundle / MANIFEST).read_bytes() == before
    simshift("keygen", bundle.parent / "a.key")
    simshift("sign", bundle, "--key", bundle.parent / "a.key")
    table = simshift("bench", bundle, *counts, "--certify")
    assert (table.code, "identity" in table.out) == (0, True)
    assert "no longer signed: sign it again" in " ".join(table.err.split())
    assert json.loads(simshift("inspect", bundle, "--json").out)["certificate"]["machine"]["cores"] >= 1
    assert simshift("verify", bundle).code == 0


def test_verification_may_drive_the_run_and_the_bundle_side_by_side(
    finished: Path, bundle: Path, simshift: Simshift
) -> None:
    facts = json.loads(simshift("verify", bundle, "--run", finished, "--json").out)
    assert facts["holds"]
    assert facts["closed_loop"]["steps"] >= 1000
    assert facts["closed_loop"]["episodes"] > facts["closed_loop"]["trials"] >= 2


def test_a_bundle_of_another_run_fails(bundle: Path, simshift: Simshift, tmp_path: Path) -> None:
    """Other weights of the same shape: only driving both shows it."""
    train(tiny("robust", "seed=1"), tmp_path / "other")
    result = simshift("verify", bundle, "--run", tmp_path / "other", "--json")
    assert (result.code, json.loads(result.out)["holds"]) == (1, False)


def test_a_run_with_another_contract_is_refused(finished: Path, tmp_path: Path, simshift: Simshift) -> None:
    two_joint_bundle(tmp_path / "leg")
    result = simshift("verify", tmp_path / "leg", "--run", finished)
    assert (result.code, "compare a bundle with the run it came from" in result.err) == (2, True)
