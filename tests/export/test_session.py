"""Sessions and bound graphs: one thread, fixed memory, memory kept only on demand."""

from __future__ import annotations

import numpy as np
import pytest

from export.bundle import STEP_GRAPH, Bundle
from export.manifest import BundleError, TensorSpec
from export.runtime.session import BoundGraph, check_signature, open_session, signature


def bound(bundle: Bundle) -> BoundGraph:
    return BoundGraph(open_session(bundle.files[STEP_GRAPH]), bundle.manifest.inputs, bundle.manifest.outputs)


def test_one_thread_that_does_not_spin(bundle: Bundle) -> None:
    options = open_session(bundle.files[STEP_GRAPH]).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(BundleError, match=r"step.onnx: onnxruntime .* cannot load it"):
        open_session(b"not a graph", "step.onnx")


def test_a_graph_with_other_inputs_than_declared_is_refused(bundle: Bundle) -> None:
    session = open_session(bundle.files[STEP_GRAPH])
    inputs, outputs = signature(session)
    assert (inputs, outputs) == (bundle.manifest.inputs, bundle.manifest.outputs)
    with pytest.raises(BundleError, match=r"graph inputs are .*declared are .*context\[1, 9\]"):
        check_signature(session, (*inputs, TensorSpec(name="context", shape=(1, 9))), outputs, "step.onnx")


def test_the_bound_graph_equals_plain_calls_over_many_steps(episodic: Bundle) -> None:
    graph, session = bound(episodic), open_session(episodic.files[STEP_GRAPH])
    rng, carry = np.random.default_rng(0), {s.name: s.start() for s in episodic.manifest.carry}
    for name, value in carry.items():
        graph.carry[name][...] = value
    for _ in range(20):
        given = {name: rng.standard_normal(array.shape, dtype=np.float32) for name, array in graph.inputs.items()}
        for name, array in graph.inputs.items():
            array[...] = given[name]
        action, *after = session.run(None, given | {f"carry_{k}": v for k, v in carry.items()})
        graph.run()
        np.testing.assert_array_equal(graph.outputs["action"], action)
        graph.keep()
        carry = dict(zip(carry, after, strict=True))
        for name, value in carry.items():
            np.testing.assert_array_equal(graph.carry[name], value)


def test_memory_changes_only_when_kept(bundle: Bundle) -> None:
    graph = bound(bundle)
    before = graph.carry["memory"].copy()
    graph.run()
    graph.run()
    np.testing.assert_array_equal(graph.carry["memory"], before)
    assert not np.array_equal(graph.next_carry["memory"], before)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("piece", [5, 4096])
def test_one_number_of_a_memory_that_is_not_finite_is_found(
    episodic: Bundle, poison: float, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.runtime.session.PIECE", piece)
    graph = bound(episodic)
    for _ in range(2):
        graph.run()
        assert graph.broken_carry() is None
        for name, values in graph.next_carry.items():
            for at in range(values.size):
                kept, values.flat[at] = values.flat[at], poison
                assert graph.broken_carry() == name
                values.flat[at] = kept
        graph.next_carry["memory"][...] = np.finfo(np.float32).max
        assert graph.broken_carry() is None
        graph.next_carry["memory"][...] = 0.0
        graph.keep()
