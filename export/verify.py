"""The golden trace: what the trained policy did in simulation, replayed wherever the bundle is. Needs no torch."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.lib.format import read_array

from export.bundle import GOLDEN, STEP_GRAPH, Bundle
from export.containers import MANIFEST, read_zip, zip_bytes
from export.manifest import METADATA_PREFIX, PARITY_TOLERANCE, BundleError, TensorSpec
from export.runtime.session import open_session

Trace = Mapping[str, np.ndarray]
"""Graph tensors by name, each `[steps, *shape]`: inputs, carry before, action and carry after."""

MIN_GOLDEN_STEPS = 50

ADAPT_PREFIX = "adapt_"
"""What the names of a golden adaptation begin with, in the same file."""

MAX_MEMBERS = 64
"""Arrays of a trace that are read at most."""


@dataclass(frozen=True)
class GoldenCheck:
    """How far a graph is from its golden trace: relative to the action scale, and to carry values above 1."""

    max_abs_error: float
    steps: int
    tolerance: float = PARITY_TOLERANCE

    @property
    def holds(self) -> bool:
        """Whether the graph may be trusted on this machine."""
        return self.max_abs_error <= self.tolerance


def check_golden(bundle: Bundle, session: ort.InferenceSession | None = None) -> GoldenCheck:
    """Replay the golden trace through the step graph on this machine.

    Raises `BundleError` when the trace does not fit the graph, or the graph says that it belongs to another manifest.
    """
    session = session or open_session(bundle.files[STEP_GRAPH], f"{bundle.source}: {STEP_GRAPH}")
    check_metadata(session, bundle.manifest.graph_metadata, f"{bundle.source}: {STEP_GRAPH}")
    manifest, trace = bundle.manifest, read_golden(bundle)
    names = [t.name for t in manifest.outputs]
    steps = len(trace["action"])
    worst = 0.0
    for t in range(steps):
        made = session.run(names, {spec.name: trace[spec.name][t : t + 1] for spec in manifest.inputs})
        expected = [trace[name][t : t + 1] for name in names]
        worst = max(worst, step_error(made, expected, manifest.contract.action.scale))
    return GoldenCheck(worst, steps)


def require_golden(bundle: Bundle, session: ort.InferenceSession | None = None) -> GoldenCheck:
    """Replay the golden trace; raises `BundleError` when this machine does not reproduce it."""
    check = check_golden(bundle, session)
    if not check.holds:
        raise BundleError(
            f"{bundle.source}: {STEP_GRAPH} departs from {GOLDEN} by {check.max_abs_error:.2g} "
            f"(at most {check.tolerance:g}) with onnxruntime {ort.__version__}; install another onnxruntime version"
        )
    return check


def check_metadata(session: ort.InferenceSession, expected: Mapping[str, str], source: str) -> None:
    """Raise `BundleError` where a graph's metadata contradicts the manifest, as under joints in another order.

    A golden trace cannot notice that: it knows no names.
    """
    stated = session.get_modelmeta().custom_metadata_map
    for key, value in expected.items():
        if stated.get(key, value) != value:
            what = key.removeprefix(METADATA_PREFIX)
            raise BundleError(
                f"{source} was made for {what} {stated[key]}, {MANIFEST} says {value}; "
                "they do not belong together, export the bundle anew"
            )


def step_error(made: list[np.ndarray], expected: list[np.ndarray], scale: tuple[float, ...]) -> float:
    """Return the largest error over action (in units of `scale`) and carry (relative above 1); infinite for NaN."""
    with np.errstate(invalid="ignore"):
        command = np.abs(made[0].astype(np.float64) - expected[0]) / np.array(scale)
        return _largest([command, *_memory_errors(made[1:], expected[1:])])


def memory_error(made: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Return the largest error over memories, relative above 1; infinite for NaN."""
    with np.errstate(invalid="ignore"):
        return _largest(_memory_errors(made, expected))


def _largest(errors: Iterable[np.ndarray]) -> float:
    return max(float(error.max(initial=0.0)) if np.isfinite(error).all() else np.inf for error in errors)


def _memory_errors(made: list[np.ndarray], expected: list[np.ndarray]) -> Iterator[np.ndarray]:
    for a, b in zip(made, expected, strict=True):
        yield np.abs(a.astype(np.float64) - b) / np.maximum(1.0, np.abs(b))


def golden_bytes(trace: Trace) -> bytes:
    """Return the trace as `.npz` bytes that depend on nothing but its values."""
    members = {}
    for name in sorted(trace):
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(trace[name]), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    return zip_bytes(members)


def read_golden(bundle: Bundle) -> dict[str, np.ndarray]:
    """Return a bundle's golden trace; raises `BundleError` unless it holds every graph tensor for enough steps."""
    return read_trace(bundle, GOLDEN, (*bundle.manifest.inputs, *bundle.manifest.outputs))


def read_trace(bundle: Bundle, name: str, specs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
    """Return one of a bundle's traces; raises `BundleError` unless it holds exactly these tensors for enough steps.

    Where the policy adapts between episodes, its golden adaptation may lie beside them.
    """
    arrays, adapts = read_members(bundle, name), bundle.manifest.adaptation is not None
    trace = {k: v for k, v in arrays.items() if not (adapts and k.startswith(ADAPT_PREFIX))}
    _check_trace(trace, specs, f"{bundle.source}: {name}")
    return trace


def read_members(bundle: Bundle, name: str) -> dict[str, np.ndarray]:
    """Return all arrays of one of a bundle's `.npz` files; raises `BundleError` where one cannot be read."""
    where = f"{bundle.source}: {name}"
    members = read_zip(io.BytesIO(bundle.files[name]), where, max_files=MAX_MEMBERS)
    try:
        arrays = {name: read_array(io.BytesIO(data), allow_pickle=False) for name, data in members.items()}
    except Exception as error:  # numpy raises many kinds for a malformed array
        raise BundleError(f"{where} cannot be read ({error}); export the bundle anew") from None
    return {name.removesuffix(".npy"): array for name, array in arrays.items()}


def _check_trace(trace: Trace, specs: Sequence[TensorSpec], where: str) -> None:
    if set(trace) != {spec.name for spec in specs}:
        raise BundleError(f"{where} holds {', '.join(sorted(trace))}, not the graph's tensors; export the bundle anew")
    last = trace[specs[-1].name]
    steps = len(last) if last.ndim else 0
    for spec in specs:
        found = trace[spec.name]
        if found.dtype != np.float32 or found.shape != (steps, *spec.shape[1:]) or steps < MIN_GOLDEN_STEPS:
            raise BundleError(
                f"{where}: {spec.name} is {found.dtype} {found.shape}; expected float32 ({steps}, *{spec.shape[1:]}) "
                f"and at least {MIN_GOLDEN_STEPS} steps; export the bundle anew"
            )
