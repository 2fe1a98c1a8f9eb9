"""What the documentation claims is what the results files hold, and the project speaks of itself alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.page import PAGES
from domain_rand.randomizer import Randomization
from sdk.results import read_results

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_generated_from_the_results_files(path: Path) -> None:
    written = (ROOT / path).read_text(encoding="utf-8")
    assert written == PAGES[path](read_results(ROOT / "benchmarks/results")), "run: make docs"


def test_every_link_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    missing = [(p.name, link) for p in pages for link in LINK.findall(p.read_text()) if not (p.parent / link).exists()]
    assert not missing


def test_the_example_of_a_distribution_over_worlds_is_one() -> None:
    text = (ROOT / "docs/worlds.md").read_text(encoding="utf-8")
    example = yaml.safe_load(text.partition("```yaml")[2].partition("```")[0])
    randomization = Randomization.parse(example)
    assert set(randomization.names) >= {"payload_mass", "lost_payload"}
