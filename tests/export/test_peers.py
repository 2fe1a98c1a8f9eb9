"""The reader of ONNX files against `onnx`, and the NumPy and torch peers against the golden trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from export.bundle import STEP_GRAPH, Bundle
from export.latency import peer_ticks
from export.onnx_reader import read_onnx
from export.peers import NoPeer, numpy_peer, torch_peer
from export.verify import read_golden


def test_the_reader_finds_what_onnx_finds(bundle: Bundle) -> None:
    found, model = read_onnx(bundle.files[STEP_GRAPH]), onnx.load_from_string(bundle.files[STEP_GRAPH])
    assert (found.ir_version, found.opsets) == (8, {"": 18})
    assert found.metadata == {p.key: p.value for p in model.metadata_props}
    assert [(n.op, n.inputs, n.outputs) for n in found.nodes] == [
        (n.op_type, tuple(n.input), tuple(n.output)) for n in model.graph.node
    ]
    for node, reference in zip(found.nodes, model.graph.node, strict=True):
        assert node.attributes == {a.name: helper.get_attribute_value(a) for a in reference.attribute}
    assert found.weights.keys() == {i.name for i in model.graph.initializer}
    for reference in model.graph.initializer:
        np.testing.assert_array_equal(found.weights[reference.name], onnx.numpy_helper.to_array(reference))


def test_the_reader_knows_the_other_encodings_of_a_tensor() -> None:
    tensors = [
        helper.make_tensor("floats", TensorProto.FLOAT, [2], [1.5, -2.0]),
        helper.make_tensor("ints", TensorProto.INT64, [2, 1], [-1, 2**40]),
        helper.make_tensor("scalar", TensorProto.INT32, [], [7]),
    ]
    graph = helper.make_graph([], "g", [], [], initializer=tensors)
    weights = read_onnx(helper.make_model(graph).SerializeToString()).weights
    assert {name: array.tolist() for name, array in weights.items()} == {
        "floats": [1.5, -2.0],
        "ints": [[-1], [2**40]],
        "scalar": 7,
    }


def test_both_peers_reproduce_the_golden_trace(episodic: Bundle, bundle: Bundle) -> None:
    for b in (bundle, episodic):
        trace = read_golden(b)
        for peer, tensor in ((numpy_peer(b), np.asarray), (torch_peer(b), torch.from_numpy)):
            for t in range(0, len(trace["action"]), 7):
                made = peer({s.name: tensor(trace[s.name][t : t + 1]) for s in b.manifest.inputs})
                for spec in b.manifest.outputs:
                    value = np.asarray(made[spec.name])
                    assert value.dtype == np.float32
                    np.testing.assert_allclose(value, trace[spec.name][t : t + 1], atol=1e-5)


def test_a_graph_with_an_unknown_operation_has_no_peer(bundle: Bundle) -> None:
    model = onnx.load_from_string(bundle.files[STEP_GRAPH])
    model.graph.node[0].op_type = "Erf"
    changed = Bundle(bundle.manifest, {**bundle.files, STEP_GRAPH: model.SerializeToString()})
    with pytest.raises(NoPeer, match="Erf has no numpy counterpart"):
        numpy_peer(changed)
    ticks, absent = peer_ticks(changed)
    assert not ticks
    assert absent.keys() == {"numpy", "torch"}


def test_where_torch_is_absent_the_peer_says_so(folder: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\nfrom export.bundle import read_bundle\n"
        f"from export.latency import peer_ticks\nticks, absent = peer_ticks(read_bundle({str(folder)!r}))\n"
        "assert set(ticks) == {'numpy'} and absent == {'torch': 'torch is not installed here'}, absent"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
