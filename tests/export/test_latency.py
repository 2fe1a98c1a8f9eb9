"""Tick latency: an identity graph made without the onnx package, and every kind of tick measured in one run."""

from __future__ import annotations

import numpy as np
import onnx

from export.bundle import Bundle
from export.latency import identity_model, measure
from export.runtime.session import open_session


def test_the_hand_written_identity_graph_is_valid_onnx() -> None:
    model = onnx.load_from_string(identity_model())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_it_returns_what_it_is_given() -> None:
    x = np.array([3.25], dtype=np.float32)
    assert open_session(identity_model()).run(None, {"x": x})[0].tolist() == [3.25]


def test_every_kind_of_tick_is_measured_back_to_back_and_paced(bundle: Bundle) -> None:
    rows = measure(bundle, ticks=60, period=0.001, paced_ticks=30)
    assert [(r.name, r.paced, r.ticks) for r in rows] == [
        (name, paced, count)
        for paced, count in ((False, 60), (True, 30))
        for name in ("identity", "graph", "policy_step")
    ]
    for row in rows:
        assert 0 < row.p50 <= row.p99
        assert 0 <= row.interrupted <= row.ticks
    by_name = {row.name: row.p50 for row in rows if not row.paced}
    assert by_name["identity"] < by_name["policy_step"]
