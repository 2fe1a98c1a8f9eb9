"""How long a control tick takes: the bundle's graph beside an identity graph, in the same run, paced and back to back.

Paced numbers are the honest ones: between two ticks the caches go cold, as on a robot. Ticks that the operating
system interrupted are counted apart, because they measure the machine's load and not the graph.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from export.bundle import STEP_GRAPH, Bundle
from export.manifest import TensorSpec
from export.runtime.latency import preemptions
from export.runtime.policy import Policy
from export.runtime.session import BoundGraph, open_session
from export.verify import read_golden

WARM_UP = 20

Tick = Callable[[], object]


@dataclass(frozen=True)
class TickTimes:
    """Durations of one kind of tick in µs; `clean_*` leave out the `interrupted` ones."""

    name: str
    paced: bool
    ticks: int
    p50: float
    p99: float
    clean_p50: float
    clean_p99: float
    interrupted: int


def measure(
    bundle: Bundle, *, ticks: int = 500, period: float | None = None, paced_ticks: int = 200
) -> list[TickTimes]:
    """Time the identity graph, the bundle's graph and a whole `Policy.step`, back to back and once every `period` s.

    `period` defaults to the contract's control period.
    """
    period = bundle.manifest.control_dt if period is None else period
    kinds = {"identity": _identity_tick(), "graph": _graph_tick(bundle), "policy_step": _policy_tick(bundle)}
    results = []
    for wait, count in ((0.0, ticks), (period, paced_ticks)):
        for name, tick in kinds.items():
            durations, interrupted = _time(tick, count, wait)
            results.append(_summary(name, wait > 0, durations, interrupted))
    return results


def identity_model() -> bytes:
    """Return an ONNX model that copies one float32 `x` [1] to `y`: the floor of any tick.

    Written out in protobuf's wire format, because the `onnx` package is not on the robot.
    """
    node = _message(1, b"x") + _message(2, b"y") + _message(4, b"Identity")
    graph = _message(1, node) + _message(2, b"identity") + _message(11, _value(b"x")) + _message(12, _value(b"y"))
    opset = _message(1, b"") + _number(2, 18)
    return _number(1, 8) + _message(7, graph) + _message(8, opset)


def _value(name: bytes) -> bytes:
    """A ValueInfoProto: float32 of shape [1]."""
    shape = _message(1, _number(1, 1))
    tensor_type = _number(1, 1) + _message(2, shape)
    return _message(1, name) + _message(2, _message(1, tensor_type))


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def _message(field: int, content: bytes) -> bytes:
    assert len(content) < 128, "longer lengths take more than one byte"
    return bytes([field << 3 | 2, len(content)]) + content


def _identity_tick() -> Tick:
    session = open_session(identity_model(), "identity")
    return BoundGraph(session, (TensorSpec(name="x", shape=(1,)),), (TensorSpec(name="y", shape=(1,)),)).run


def _graph_tick(bundle: Bundle) -> Tick:
    manifest = bundle.manifest
    graph = BoundGraph(open_session(bundle.files[STEP_GRAPH], STEP_GRAPH), manifest.inputs, manifest.outputs)
    trace = read_golden(bundle)
    for name, array in graph.inputs.items():
        array[...] = trace[name][:1]
    for state in manifest.carry:
        graph.carry[state.name][...] = state.start()

    def tick() -> None:
        graph.run()
        graph.keep()

    return tick


def _policy_tick(bundle: Bundle) -> Tick:
    policy = Policy(bundle)
    middle = {s.name: [_inside(s.low, s.high)] * s.size for s in policy.contract.signals}
    return lambda: policy.step(middle, last_reward=0.0)


def _inside(low: float, high: float) -> float:
    return min(max(0.0, low), high)


def _time(tick: Tick, count: int, wait: float) -> tuple[Sequence[float], Sequence[bool]]:
    for _ in range(WARM_UP):
        tick()
    durations, interrupted = [], []
    due = time.perf_counter()
    for _ in range(count):
        due += wait
        if wait:
            time.sleep(max(0.0, due - time.perf_counter()))
        before, start = preemptions(), time.perf_counter_ns()
        tick()
        durations.append((time.perf_counter_ns() - start) / 1e3)
        interrupted.append(preemptions() != before)
    return durations, interrupted


def _summary(name: str, paced: bool, durations: Sequence[float], interrupted: Sequence[bool]) -> TickTimes:
    times, hit = np.array(durations), np.array(interrupted)
    clean = times if hit.all() else times[~hit]
    p50, p99 = np.percentile(times, [50, 99]).tolist()
    clean_p50, clean_p99 = np.percentile(clean, [50, 99]).tolist()
    return TickTimes(name, paced, len(times), p50, p99, clean_p50, clean_p99, int(hit.sum()))
