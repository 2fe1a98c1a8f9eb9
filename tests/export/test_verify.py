"""The golden trace: reproduced where the bundle is sound, refused where it is not; without torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from export.bundle import GOLDEN, STEP_GRAPH, Bundle
from export.manifest import BundleError
from export.step_graph import StepGraph
from export.to_onnx import to_onnx
from export.verify import check_golden, golden_bytes, read_golden, require_golden, step_error
from tests.export.tiny_policy import NoNormaliser, servo_arm


def test_a_fresh_bundle_reproduces_its_trace(bundle: Bundle) -> None:
    check = require_golden(bundle)
    assert check.holds
    assert check.max_abs_error < 1e-6
    assert check.steps >= 50


def test_another_graph_does_not(bundle: Bundle) -> None:
    files = {**bundle.files, STEP_GRAPH: to_onnx(StepGraph(NoNormaliser(), servo_arm()[0]))}
    changed = Bundle(bundle.manifest, files)
    assert not check_golden(changed).holds
    with pytest.raises(BundleError, match=r"step.onnx departs from golden.npz by .* install another onnxruntime"):
        require_golden(changed)


def with_trace(bundle: Bundle, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> Bundle:
    return Bundle(bundle.manifest, {**bundle.files, GOLDEN: golden_bytes(change(read_golden(bundle)))})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "next_memory"}, "not the graph's tensors"),
        (lambda t: t | {"extra": t["action"]}, "not the graph's tensors"),
        (lambda t: t | {"obs": t["obs"].astype(np.float64)}, "obs is float64"),
        (lambda t: t | {"obs": t["obs"][:, :2]}, "obs is float32"),
        (lambda t: t | {"obs": t["obs"][1:]}, "obs is float32"),
        (lambda t: {k: v[:10] for k, v in t.items()}, "at least 50 steps"),
    ],
)
def test_a_trace_that_does_not_fit_is_refused(
    bundle: Bundle, change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        check_golden(with_trace(bundle, change))


def test_a_trace_that_is_no_archive_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz: not a complete zip"):
        check_golden(Bundle(bundle.manifest, {**bundle.files, GOLDEN: b"not a zip"}))


def test_the_trace_has_the_same_bytes_each_time(bundle: Bundle) -> None:
    assert golden_bytes(read_golden(bundle)) == bundle.files[GOLDEN]


def test_error_is_relative_to_action_scale_and_to_large_memory() -> None:
    # action: |3 − 2| / 10 = 0.1; memory: |0.5 − 0.3| / 1 = 0.2 and |110 − 100| / 100 = 0.1
    made = [np.array([[3.0]]), np.array([[0.5, 110.0]])]
    expected = [np.array([[2.0]]), np.array([[0.3, 100.0]])]
    assert step_error(made, expected, (10.0,)) == pytest.approx(0.2)
    assert step_error(made[:1], expected[:1], (10.0,)) == pytest.approx(0.1)


def test_nan_is_an_infinite_error() -> None:
    nan = [np.array([[np.nan]])]
    assert step_error(nan, nan, (1.0,)) == np.inf
