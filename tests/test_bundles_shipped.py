"""The bundles in the repository run here and belong to the robots as they are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bundle import read_bundle
from export.runtime.policy import Policy
from export.verify import check_golden
from robots.spec import load_robot

FOLDER = Path(__file__).parents[1] / "bundles"
BUNDLES = sorted(FOLDER.glob("*.zip"))


def test_there_is_one_and_the_readme_says_how_each_was_made() -> None:
    assert BUNDLES
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert not [path.name for path in BUNDLES if path.name not in text]


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_it_reproduces_its_golden_trace(path: Path) -> None:
    golden = check_golden(read_bundle(path))
    assert golden.max_abs_error <= 1e-6
    Policy.load(path)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_it_follows_the_contract_of_its_robot(path: Path) -> None:
    manifest = read_bundle(path).manifest
    spec, randomization = load_robot(manifest.contract.robot, manifest.task)
    assert manifest.contract.fingerprint == spec.contract.fingerprint, "export the run again, see bundles/README.md"
    assert manifest.randomization == randomization, "trained for other worlds; see bundles/README.md"


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_it_is_small_and_says_how_good_it_is(path: Path) -> None:
    assert path.stat().st_size < 2 * 2**20
    assert {row.name for row in read_bundle(path).manifest.evaluation} >= {"held_out/trial_return"}
