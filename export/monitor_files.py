"""A bundle's monitor: its graph's signature, its metadata and its golden trace. Needs no torch."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from export.bundle import Bundle
from export.manifest import (
    METADATA_PREFIX,
    PARITY_TOLERANCE,
    BundleError,
    CarryState,
    Manifest,
    MonitorSpec,
    TensorSpec,
    describe,
    graph_inputs,
)
from export.runtime.session import BoundGraph, check_signature, open_session
from export.verify import Trace, check_metadata, read_trace
from robots.contract import Contract

MONITOR_GRAPH, MONITOR_GOLDEN = "monitor.onnx", "monitor.npz"
MONITOR_INPUTS = ("obs", "last_action", "episode_start")
"""What the monitor reads beside the policy's memory and its own; `episode_start` also where a reading was missed."""


def monitor_tensors(
    spec: MonitorSpec, contract: Contract, memories: tuple[CarryState, ...]
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the monitor's inputs and outputs; `memories` are the policy's states in the order of `spec.reads`."""
    seen = graph_inputs(MONITOR_INPUTS, contract)
    read = (TensorSpec(name=f"policy_{state.name}", shape=(1, *state.shape)) for state in memories)
    before = (TensorSpec(name=f"carry_{state.name}", shape=(1, *state.shape)) for state in spec.carry)
    after = (TensorSpec(name=f"next_{state.name}", shape=(1, *state.shape)) for state in spec.carry)
    return (*seen, *read, *before), (TensorSpec(name="statistics", shape=(1, len(spec.statistics))), *after)


def monitor_signature(manifest: Manifest) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs of a bundle's monitor; raises `BundleError` for a memory the policy has not."""
    spec, memories = manifest.monitor, {state.name: state for state in manifest.carry}
    assert spec is not None
    for name in spec.reads:
        if name not in memories:
            raise BundleError(f"the monitor reads '{name}'; the policy's memory is {', '.join(memories) or 'empty'}")
    return monitor_tensors(spec, manifest.contract, tuple(memories[name] for name in spec.reads))


def monitor_metadata(manifest: Manifest) -> dict[str, str]:
    """Return what the monitor's graph says about itself."""
    inputs, outputs = monitor_signature(manifest)
    facts = {
        "kind": "monitor",
        "producer": manifest.producer,
        "robot": manifest.contract.robot,
        "task": manifest.task,
        "contract": manifest.contract.fingerprint,
        "inputs": describe(inputs),
        "outputs": describe(outputs),
    }
    return {f"{METADATA_PREFIX}{key}": value for key, value in facts.items()}


def open_monitor_graph(bundle: Bundle) -> BoundGraph:
    """Open a bundle's monitor and replay its golden trace; raises `BundleError` when this machine departs from it."""
    source = f"{bundle.source}: {MONITOR_GRAPH}"
    for name in (MONITOR_GRAPH, MONITOR_GOLDEN):
        if name not in bundle.files:
            raise BundleError(f"{bundle.source}: the manifest has a monitor, but {name} is missing; export it anew")
    inputs, outputs = monitor_signature(bundle.manifest)
    session = open_session(bundle.files[MONITOR_GRAPH], source)
    check_signature(session, inputs, outputs, source)
    check_metadata(session, monitor_metadata(bundle.manifest), source)
    error = _trace_error(session, read_trace(bundle, MONITOR_GOLDEN, (*inputs, *outputs)), inputs, outputs)
    if not error <= PARITY_TOLERANCE:
        raise BundleError(
            f"{source} departs from {MONITOR_GOLDEN} by {error:.2g} (at most {PARITY_TOLERANCE:g}) with onnxruntime "
            f"{ort.__version__}; install another onnxruntime version"
        )
    return BoundGraph(session, inputs, outputs)


def _trace_error(
    session: ort.InferenceSession, trace: Trace, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> float:
    names, worst = [spec.name for spec in outputs], 0.0
    for t in range(len(trace["statistics"])):
        made = session.run(names, {spec.name: trace[spec.name][t : t + 1] for spec in inputs})
        for found, name in zip(made, names, strict=True):
            expected = trace[name][t : t + 1].astype(np.float64)
            error = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
            worst = max(worst, float(error.max(initial=0.0)) if np.isfinite(error).all() else np.inf)
    return worst
