"""From a fitted detector to a bundle's monitor: physical signals in, statistics out, checked against its own trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from export.bundle import MODEL_CARD, read_bundle, write_bundle
from export.manifest import CarryState, Manifest, MonitorSpec
from export.model_card import model_card
from export.monitor_files import (
    MONITOR_GOLDEN,
    MONITOR_GRAPH,
    monitor_metadata,
    monitor_signature,
    monitor_tensors,
    open_monitor_graph,
)
from export.step_graph import Carry, TensorGraph
from export.to_onnx import to_onnx, with_metadata
from export.verify import golden_bytes
from robots.contract import Contract

GOLDEN_STEPS = 96


class Detector(Protocol):
    """What an `nn.Module` must offer to become a monitor."""

    carry_spec: tuple[CarryState, ...]

    def step(
        self, obs: Tensor, last_action: Tensor, episode_start: Tensor, memories: Carry, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return statistics `[N, S]` and the next carry; `last_action` is normalised, `memories` the policy's."""
        ...


class MonitorGraph(TensorGraph):
    """A detector wrapped in the contract: commands in the contract's unit, batch of one."""

    scale: Tensor
    offset: Tensor

    def __init__(
        self, detector: Any, spec: MonitorSpec, contract: Contract, memories: tuple[CarryState, ...] = ()
    ) -> None:
        super().__init__()
        self.policy = detector
        self.input_specs, self.output_specs = monitor_tensors(spec, contract, memories)
        self._memories = len(memories)
        self.register_buffer("scale", torch.tensor([contract.action.scale]))
        self.register_buffer("offset", torch.tensor([contract.action.offset]))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the statistics [1, S] and the next carry, given `input_specs` in order."""
        obs, command, start, *rest = tensors
        memories, carry = tuple(rest[: self._memories]), tuple(rest[self._memories :])
        statistics, after = self.policy.step(obs, (command - self.offset) / self.scale, start, memories, carry)
        return statistics, *after


def add_monitor(path: Path, detector: Any, spec: MonitorSpec, rows: list[dict[str, np.ndarray]]) -> Manifest:
    """Write a monitor into a bundle, in place of any it has, and seal it anew; its signature, if any, is gone.

    `rows` are inputs of consecutive steps, for the golden trace: graph tensors by name, without the monitor's carry.
    Raises `ExportError` when it cannot become a graph, `BundleError` when that departs from the detector or the bundle.
    """
    bundle = read_bundle(path)
    manifest = bundle.manifest.model_copy(update={"monitor": spec})
    monitor_signature(manifest)
    states = {state.name: state for state in manifest.carry}
    graph = MonitorGraph(detector, spec, manifest.contract, tuple(states[name] for name in spec.reads))
    files = {
        **bundle.files,
        MONITOR_GRAPH: with_metadata(to_onnx(graph), monitor_metadata(manifest)),
        MONITOR_GOLDEN: golden_bytes(_trace(graph, rows[:GOLDEN_STEPS])),
        MODEL_CARD: model_card(manifest).encode(),
    }
    written = write_bundle(path, manifest, files, overwrite=True)
    open_monitor_graph(written)
    return written.manifest


@torch.no_grad()
def _trace(graph: MonitorGraph, rows: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what the detector itself makes of these steps, starting from its initial carry."""
    states: tuple[CarryState, ...] = graph.policy.carry_spec
    carry = {f"carry_{state.name}": state.start() for state in states}
    steps = []
    for row in rows:
        given = row | carry
        made = graph(*(torch.from_numpy(given[spec.name]) for spec in graph.input_specs))
        out = {spec.name: value.numpy() for spec, value in zip(graph.output_specs, made, strict=True)}
        carry = {f"carry_{state.name}": out[f"next_{state.name}"] for state in states}
        steps.append(given | out)
    return {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}
