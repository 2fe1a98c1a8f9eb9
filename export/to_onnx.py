"""A step graph as ONNX bytes: opset 18, IR 8, one file, and nothing in it that differs between two exports."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import onnx
import torch

from export.bundle import STEP_GRAPH
from export.runtime.session import check_signature, open_session
from export.step_graph import ExportError, TensorGraph

OPSET, IR_VERSION = 18, 8
"""The oldest pair that carries every graph here: it loads on onnxruntime 1.16 and later."""


def to_onnx(graph: TensorGraph) -> bytes:
    """Return the graph as a serialised ONNX model, byte for byte the same each time.

    Raises `ExportError` when the policy cannot be traced, `BundleError` when the graph's inputs or outputs are not
    exactly the declared ones: nothing known in simulation only can slip into it.
    """
    data = portable(_trace(graph), "step")
    check_signature(open_session(data, STEP_GRAPH), graph.input_specs, graph.output_specs, STEP_GRAPH)
    return data


def portable(model: onnx.ModelProto, name: str) -> bytes:
    """Return the model under a name as bytes that load on onnxruntime 1.16 and do not tell who traced it, or how."""
    _strip(model, name)
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def with_metadata(model: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return the model with this metadata and no other."""
    proto = onnx.load_from_string(model)
    proto.ClearField("metadata_props")
    for key in sorted(metadata):
        proto.metadata_props.add(key=key, value=metadata[key])
    return proto.SerializeToString(deterministic=True)


def _trace(graph: TensorGraph) -> onnx.ModelProto:
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph.eval(),
                graph.example(),
                input_names=[spec.name for spec in graph.input_specs],
                output_names=[spec.name for spec in graph.output_specs],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        raise ExportError(
            f"{type(graph.policy).__name__}.step cannot be traced: {first_cause(error)}. It may use tensors only from "
            "its arguments, parameters and buffers, and must not branch on their values"
        ) from error
    assert program is not None
    return program.model_proto


def first_cause(error: BaseException) -> str:
    """Return the first line of what went wrong first: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's progress and warnings off the terminal; errors still surface as exceptions."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _strip(model: onnx.ModelProto, name: str) -> None:
    """Drop what only a debugger reads: the exporter records source lines and absolute paths at every node."""
    model.doc_string = model.producer_version = ""
    model.graph.name = name
    del model.graph.value_info[:]
    _clear(model)
    _clear_graph(model.graph)
    for function in model.functions:
        _clear(function)
        for node in function.node:
            _clear_node(node)


def _clear_graph(graph: onnx.GraphProto) -> None:
    _clear(graph)
    for part in (*graph.input, *graph.output, *graph.initializer):
        _clear(part)
    for node in graph.node:
        _clear_node(node)


def _clear_node(node: onnx.NodeProto) -> None:
    _clear(node)
    for attribute in node.attribute:
        attribute.doc_string = ""
        for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
            _clear_graph(graph)


def _clear(message: Any) -> None:
    message.ClearField("doc_string")
    message.ClearField("metadata_props")
