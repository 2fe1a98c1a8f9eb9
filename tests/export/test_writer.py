"""Export as a whole: all or nothing, equal bytes, and a card that tells what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain_rand.randomizer import Randomization
from export.bundle import MODEL_CARD, STEP_GRAPH, Bundle, BundleError, read_bundle
from export.parity import ParityError
from export.step_graph import ExportError
from export.writer import VERIFY_STREAM, export_policy
from robots.contract import Contract
from robots.robot_env import RobotEnv
from tests.export.test_parity import Counting, Undeclared
from tests.export.tiny_policy import CREATED, Memoryless, TinyGru, export_tiny, servo_arm


def test_two_exports_are_equal_bytes(tmp_path: Path) -> None:
    one, two = (export_tiny(tmp_path / name).read_bytes() for name in ("one.zip", "two.zip"))
    assert one == two


@pytest.mark.parametrize("policy", [Counting, Undeclared])
def test_a_policy_that_fails_parity_leaves_nothing(tmp_path: Path, policy: type[TinyGru]) -> None:
    with pytest.raises(ParityError):
        export_tiny(tmp_path / "bundle", policy())
    assert not list(tmp_path.iterdir())


def test_a_failed_export_keeps_the_bundle_that_was_there(tmp_path: Path) -> None:
    destination = export_tiny(tmp_path / "bundle")
    before = read_bundle(destination).files
    with pytest.raises(ParityError):
        export_tiny(destination, Undeclared(), overwrite=True)
    assert read_bundle(destination).files == before


def test_an_existing_bundle_is_replaced_only_on_demand(tmp_path: Path) -> None:
    destination = export_tiny(tmp_path / "bundle")
    with pytest.raises(BundleError, match="exists already"):
        export_tiny(destination, Memoryless())
    export_tiny(destination, Memoryless(), overwrite=True)
    assert read_bundle(destination).manifest.carry == ()


def test_another_contract_than_the_worlds_is_refused(tmp_path: Path) -> None:
    contract, randomization = servo_arm()
    other = Contract.parse(contract.plain() | {"control_dt": 0.01})
    with pytest.raises(ExportError, match="another contract"):
        export_policy(
            TinyGru(),
            other,
            randomization,
            tmp_path / "b",
            algorithm="rl2",
            seeds=(0,),
            provenance={},
            world_factory=lambda: RobotEnv("servo_arm", stream=VERIFY_STREAM),
        )


def test_the_manifest_tells_where_the_policy_comes_from(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.algorithm, manifest.task, manifest.created) == ("rl2", "track_target", CREATED)
    assert manifest.provenance == {"steps": 1000, "commit": "abc1234", "config": {"lr": 3e-4}}
    assert manifest.seeds == (0, 1)
    assert manifest.parity.steps >= 1000
    assert manifest.control_dt == manifest.contract.control_dt
    assert manifest.step_inputs == ("obs", "last_action", "episode_start")


def test_the_card_tells_what_a_person_must_know(bundle: Bundle) -> None:
    card = bundle.files[MODEL_CARD].decode()
    for line in (
        "# rl2 for servo_arm: track_target",
        "| shoulder | -10 to 10 | 500 | -2.6 to 2.6 | 25 |",
        "| joint_vel | 1 | rad/s | -50 to 50 | 0 |",
        "| payload_mass | mass of a link; its inertia scales with it | payload | kg | uniform 0.3 to 1.2 |",
        "uniform -1.5 to -0.5 or uniform 0.5 to 1.5",
        "| success | 0.5 | 0.4 to 0.6 | 1 |",
        "## Intended use and limits",
        "simshift verify BUNDLE",
        "simshift run BUNDLE --robot udp://HOST:PORT",
    ):
        assert line in card


def test_a_card_without_evaluation_says_so(tmp_path: Path) -> None:
    found = read_bundle(export_tiny(tmp_path / "b", evaluation=()))
    assert "treat this policy as untested" in found.files[MODEL_CARD].decode()


def test_the_randomisation_given_is_the_one_verified_in_and_stored(tmp_path: Path) -> None:
    contract, _ = servo_arm()
    heavy = {
        "parameters": {
            "payload_mass": {
                "parameter": "link_mass",
                "select": "payload",
                "unit": "kg",
                "draw": {"distribution": "uniform", "low": 1.0, "high": 1.0},
            }
        }
    }
    randomization = Randomization.parse(heavy)
    settings = {"algorithm": "rl2", "seeds": (0,), "provenance": {}, "created": CREATED}
    export_policy(TinyGru(), contract, randomization, tmp_path / "b", **settings)  # type: ignore[arg-type]
    found = read_bundle(tmp_path / "b")
    assert found.manifest.randomization == randomization
    assert STEP_GRAPH in found.files
