"""How long a control tick takes: the bundle's graph beside an identity graph and other ways to evaluate it.

All in the same run, paced and back to back.

Paced numbers are the honest ones: between two ticks the caches go cold, as on a robot. Ticks that the operating
system interrupted are counted apart, because they measure the machine's load and not the graph.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from export import peers as peers_
from export.bundle import STEP_GRAPH, Bundle
from export.certificate import TickTimes
from export.cold_start import middle_reading
from export.manifest import TensorSpec
from export.runtime.latency import preemptions
from export.runtime.monitor import OutOfDistribution
from export.runtime.policy import Policy
from export.runtime.session import BoundGraph, open_session
from export.verify import read_golden
from robots.drivers.base import Reading

WARM_UP = 20

Tick = Callable[[], object]


def measure(
    bundle: Bundle,
    *,
    ticks: int = 500,
    period: float | None = None,
    paced_ticks: int = 200,
    peers: Mapping[str, Tick] | None = None,
) -> list[TickTimes]:
    """Time the identity graph, the bundle's graph, a whole `Policy.step`, one that is monitored, and any peers.

    Each back to back and once every `period` s, which defaults to the contract's control period.
    """
    period = bundle.manifest.control_dt if period is None else period
    kinds = {"identity": _identity_tick(), "graph": _graph_tick(bundle), "policy_step": _policy_tick(bundle)}
    if bundle.manifest.monitor is not None:
        kinds["monitored_step"] = _monitored_tick(bundle)
    results = []
    for wait, count in ((0.0, ticks), (period, paced_ticks)):
        for name, tick in {**kinds, **(peers or {})}.items():
            durations, interrupted = _time(tick, count, wait)
            results.append(_summary(name, wait > 0, durations, interrupted))
    return results


def peer_ticks(bundle: Bundle) -> tuple[dict[str, Tick], dict[str, str]]:
    """Return the ticks of the NumPy and torch peers, and why one is absent, by name."""
    ticks: dict[str, Tick] = {}
    absent: dict[str, str] = {}
    for name, make in (("numpy", _numpy_tick), ("torch", _torch_tick)):
        try:
            ticks[name] = make(bundle)
        except peers_.NoPeer as error:
            absent[name] = str(error)
    return ticks, absent


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
    first = _first_inputs(bundle)
    for name, array in graph.inputs.items():
        array[...] = first[name]
    for state in manifest.carry:
        graph.carry[state.name][...] = state.start()

    def tick() -> None:
        graph.run()
        graph.keep()

    return tick


def _policy_tick(bundle: Bundle) -> Tick:
    policy = Policy(bundle)
    middle = middle_reading(policy.contract)
    return lambda: policy.step(middle, last_reward=0.0)


def _monitored_tick(bundle: Bundle) -> Tick:
    policy = Policy(bundle)
    monitor, middle = OutOfDistribution(policy), middle_reading(policy.contract)
    reading = Reading(0, 0.0, middle)
    return lambda: monitor.judge(reading, policy.step(middle, last_reward=0.0))


def _numpy_tick(bundle: Bundle) -> Tick:
    return _stateful(peers_.numpy_peer(bundle), _first_inputs(bundle))


def _torch_tick(bundle: Bundle) -> Tick:
    peer = peers_.torch_peer(bundle)
    import torch

    return _stateful(peer, {name: torch.from_numpy(array) for name, array in _first_inputs(bundle).items()})


def _stateful(peer: peers_.Tick, given: dict[str, Any]) -> Tick:
    """Tick with constant readings; memory goes on."""
    carried = [(name, f"next_{name.removeprefix('carry_')}") for name in given if name.startswith("carry_")]

    def tick() -> None:
        made = peer(given)
        given.update({before: made[after] for before, after in carried})

    return tick


def _first_inputs(bundle: Bundle) -> dict[str, np.ndarray]:
    trace = read_golden(bundle)
    return {t.name: trace[t.name][:1].copy() for t in bundle.manifest.inputs}


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
    return TickTimes(
        name=name,
        paced=paced,
        ticks=len(times),
        p50=p50,
        p99=p99,
        clean_p50=clean_p50,
        clean_p99=clean_p99,
        interrupted=int(hit.sum()),
    )
