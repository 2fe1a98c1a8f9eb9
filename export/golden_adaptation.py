"""The golden adaptation: episodes and what the trained policy's `adapt` made of them, replayed here. Needs no torch.

It lies in the golden trace beside the steps, its tensors' names behind `adapt_`: who reads only the steps finds them
where they were.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from export.bundle import ADAPT_GRAPH, GOLDEN, Bundle
from export.manifest import PARITY_TOLERANCE, BundleError, Manifest
from export.runtime.session import open_session
from export.verify import ADAPT_PREFIX, GoldenCheck, Trace, memory_error, read_members

EPISODE_INPUTS = ("obs", "action", "reward", "time", "mask")
"""What an adapt graph reads of each control period, besides the memory."""


def adapt_inputs(manifest: Manifest) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a bundle's adapt graph's inputs; those of `EPISODE_INPUTS` without the control periods."""
    widths = {"obs": (manifest.contract.obs_size,), "action": (len(manifest.contract.joints),)}
    episodes = {name: (1, *widths.get(name, ())) for name in EPISODE_INPUTS}
    return episodes | {f"carry_{state.name}": (1, *state.shape) for state in manifest.carry}


def named(trace: Trace) -> dict[str, np.ndarray]:
    """Return a golden adaptation by the names that it has in the bundle."""
    return {f"{ADAPT_PREFIX}{name}": value for name, value in trace.items()}


def open_adapt_graph(bundle: Bundle) -> ort.InferenceSession:
    """Open a bundle's adapt graph and replay its golden adaptation.

    Raises `BundleError` when it is not of the memory that the manifest declares, or this machine departs from it.
    """
    session = _opened(bundle)
    check = check_golden_adaptation(bundle, session)
    if not check.holds:
        raise BundleError(
            f"{bundle.source}: {ADAPT_GRAPH} departs from {GOLDEN} by {check.max_abs_error:.2g} "
            f"(at most {check.tolerance:g}) with onnxruntime {ort.__version__}; install another onnxruntime version"
        )
    return session


def check_golden_adaptation(bundle: Bundle, session: ort.InferenceSession | None = None) -> GoldenCheck:
    """Replay the golden adaptation through the adapt graph on this machine.

    Raises `BundleError` when there is none or it does not fit the graph.
    """
    session = session or _opened(bundle)
    trace, names = read_golden_adaptation(bundle), [f"next_{state.name}" for state in bundle.manifest.carry]
    made = session.run(names, {name: trace[name] for name in adapt_inputs(bundle.manifest)})
    return GoldenCheck(memory_error(made, [trace[name] for name in names]), len(trace["reward"]), PARITY_TOLERANCE)


def read_golden_adaptation(bundle: Bundle) -> dict[str, np.ndarray]:
    """Return a bundle's golden adaptation by the graph's names; raises `BundleError` unless all are there and fit."""
    arrays, where = read_members(bundle, GOLDEN), f"{bundle.source}: {GOLDEN}"
    trace = {k.removeprefix(ADAPT_PREFIX): v for k, v in arrays.items() if k.startswith(ADAPT_PREFIX)}
    expected = _shapes(bundle.manifest, trace)
    if set(trace) != set(expected):
        raise BundleError(f"{where} holds no adaptation of this policy to replay; export the bundle anew")
    for name, shape in expected.items():
        if trace[name].dtype != np.float32 or trace[name].shape != shape or not np.isfinite(trace[name]).all():
            raise BundleError(
                f"{where}: {ADAPT_PREFIX}{name} is {trace[name].dtype} {trace[name].shape}; expected finite float32 "
                f"{shape}; export the bundle anew"
            )
    return trace


def _shapes(manifest: Manifest, trace: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    steps = trace["reward"].size if "reward" in trace else 0
    given = {k: (steps, *shape) if k in EPISODE_INPUTS else shape for k, shape in adapt_inputs(manifest).items()}
    return given | {f"next_{state.name}": (1, *state.shape) for state in manifest.carry}


def _opened(bundle: Bundle) -> ort.InferenceSession:
    source = f"{bundle.source}: {ADAPT_GRAPH}"
    session = open_session(bundle.files[ADAPT_GRAPH], source)
    wanted, found = set(adapt_inputs(bundle.manifest)), {tensor.name for tensor in session.get_inputs()}
    if found != wanted:
        raise BundleError(f"{source}: reads {', '.join(sorted(found))}; declared are {', '.join(sorted(wanted))}")
    return session
