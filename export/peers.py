"""The same network in NumPy and in torch: what a tick would cost without onnxruntime, measured in the same run.

Operations are called one after the other, as `forward` of an eager module calls them. Only those of small networks are
known; a graph that needs another has no peer, and says so.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from export.bundle import STEP_GRAPH, Bundle
from export.onnx_reader import Node, OnnxFile, read_onnx

Tick = Callable[[Mapping[str, Any]], dict[str, Any]]
Operation = Callable[..., Any]


class NoPeer(RuntimeError):
    """A graph that cannot be evaluated this way; the message says why."""


def numpy_peer(bundle: Bundle) -> Tick:
    """Return the step graph as a function of float32 arrays by name; raises `NoPeer`."""
    return _compile(read_onnx(bundle.files[STEP_GRAPH], STEP_GRAPH), bundle, np, np.asarray)


def torch_peer(bundle: Bundle) -> Tick:
    """Return the step graph as a function of torch tensors by name; raises `NoPeer`, also where torch is absent."""
    try:
        import torch
    except ModuleNotFoundError:
        raise NoPeer("torch is not installed here") from None
    torch.set_num_threads(1)
    return _compile(
        read_onnx(bundle.files[STEP_GRAPH], STEP_GRAPH), bundle, torch, lambda array: torch.from_numpy(array.copy())
    )


def _compile(graph: OnnxFile, bundle: Bundle, library: ModuleType, constant: Callable[[np.ndarray], Any]) -> Tick:
    values = {name: constant(weights) for name, weights in graph.weights.items()}
    plan = [(_operation(node, library, values), node.inputs, node.outputs) for node in graph.nodes]
    wanted = [tensor.name for tensor in bundle.manifest.outputs]

    def tick(given: Mapping[str, Any]) -> dict[str, Any]:
        now = {**values, **given}
        for operation, inputs, outputs in plan:
            made = operation(*[now[name] for name in inputs if name])
            now.update(zip(outputs, made if isinstance(made, list | tuple) else (made,), strict=True))
        return {name: now[name] for name in wanted}

    return tick


def _operation(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    if node.op in _BINARY:
        return _BINARY[node.op]
    if node.op in _UNARY:
        return getattr(library, _UNARY[node.op])
    if node.op in _BUILT and "" not in node.inputs:
        return _BUILT[node.op](node, library, weights)
    raise NoPeer(f"{node.op} has no {library.__name__} counterpart here")


_BINARY: dict[str, Operation] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": operator.truediv,
    "MatMul": operator.matmul,
}
_UNARY = {"Tanh": "tanh", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Neg": "negative", "Abs": "abs"}


def _gemm(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    a = node.attributes
    if (a.get("alpha", 1.0), a.get("beta", 1.0), a.get("transA", 0)) != (1.0, 1.0, 0):
        raise NoPeer("a Gemm with factors or a transposed input")
    if library is not np and a.get("transB", 0) and len(node.inputs) == 3:
        return library.nn.functional.linear
    turned = bool(a.get("transB", 0))
    return lambda x, w, *bias: sum(bias, x @ (w.T if turned else w))


def _sigmoid(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    if library is not np:
        return library.sigmoid
    one, half = np.float32(1), np.float32(0.5)
    return lambda x: half * (one + np.tanh(half * x))


def _relu(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    return (lambda x: np.maximum(x, np.float32(0))) if library is np else library.relu


def _concat(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    join, axis = (np.concatenate if library is np else library.cat), node.attributes["axis"]
    return lambda *parts: join(parts, axis)


def _split(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    count, axis = node.attributes.get("num_outputs"), node.attributes.get("axis", 0)
    if count is None or len(node.inputs) != 1:
        raise NoPeer("a Split into unequal parts")
    return (lambda x: np.split(x, count, axis)) if library is np else (lambda x: library.chunk(x, count, axis))


def _clip(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    if len(node.inputs) != 3 or not {*node.inputs[1:]} <= {*weights}:
        raise NoPeer("a Clip without two constant bounds")
    return library.clip


def _identity(node: Node, library: ModuleType, weights: Mapping[str, Any]) -> Operation:
    return lambda x: x


_BUILT: dict[str, Callable[[Node, ModuleType, Mapping[str, Any]], Operation]] = {
    "Gemm": _gemm,
    "Sigmoid": _sigmoid,
    "Relu": _relu,
    "Concat": _concat,
    "Split": _split,
    "Clip": _clip,
    "Identity": _identity,
}
