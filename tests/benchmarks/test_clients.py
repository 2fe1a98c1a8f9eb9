"""Clients that cannot run are named with their reason; those that can are asked for their largest error."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import clients
from benchmarks.clients import Command, NoClient, golden_errors
from tests.export.tiny_policy import export_tiny

ANSWER = "import sys, pathlib; print({!r} if (pathlib.Path(sys.argv[1]) / 'step.onnx').exists() else 'no bundle')"


def saying(text: str) -> Command:
    """Return a client that prints a text when it is given a bundle."""
    return [sys.executable, "-c", ANSWER.format(text)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny(tmp_path_factory.mktemp("bundles") / "tiny.zip")


def test_who_cannot_run_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def absent(folder: Path) -> Command:
        raise NoClient("no tools")

    monkeypatch.setattr(clients, "MAKERS", {"node": absent, "cpp": lambda folder: [folder / "golden"]})
    assert clients.clients(tmp_path) == ({"cpp": [tmp_path / "cpp/golden"]}, {"node": "no tools"})


def test_every_client_is_given_the_unpacked_bundle(bundle: Path) -> None:
    found = golden_errors({"a": saying('{"max_abs_error": 2e-6}'), "b": saying('{"max_abs_error": 0}')}, bundle)
    assert found == {"a": 2e-6, "b": 0}


def test_a_client_that_says_nothing_has_failed(bundle: Path) -> None:
    with pytest.raises(RuntimeError, match="failed"):
        golden_errors({"a": saying("what?")}, bundle)
