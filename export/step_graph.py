"""From a trained policy to the one function that leaves for the robot: physical signals in, commands out."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from export.manifest import STEP_INPUTS, CarryState, TensorSpec, check_needs, graph_inputs, graph_outputs
from robots.contract import Contract

Carry = tuple[Tensor, ...]


class ExportError(RuntimeError):
    """A policy that cannot become a graph; the message says what to change."""


class StepPolicy(Protocol):
    """What an `nn.Module` must offer to be exported. Its observation normaliser lives inside it."""

    inputs: tuple[str, ...]
    """The step inputs it really reads, in the order of `STEP_INPUTS`; the others never reach the graph."""

    carry_spec: tuple[CarryState, ...]

    def step(
        self, obs: Tensor, last_action: Tensor, last_reward: Tensor, episode_start: Tensor, carry: Carry
    ) -> tuple[Tensor, Carry]:
        """Return the mean action and the next carry.

        `obs` [N, obs_size] in contract order and units, `last_action` [N, joints] normalised, `last_reward` and
        `episode_start` [N, 1], carry states [N, *shape]; the mean is [N, joints], normalised, clipped by the caller.
        """
        ...


def frozen_copy(policy: Any) -> Any:
    """Return a copy on the CPU, in evaluation mode, with nothing but parameters, buffers and settings.

    Raises `ExportError` for a module of another interface.
    """
    missing = [name for name in ("inputs", "carry_spec", "step") if not hasattr(policy, name)]
    if missing:
        raise ExportError(f"{type(policy).__name__} has no {', '.join(missing)}; see export.step_graph.StepPolicy")
    if getattr(policy, "log_std", policy) is None:
        raise ExportError(f"{type(policy).__name__} chooses among discrete actions; a robot's command is continuous")
    frozen = copy.deepcopy(policy).cpu().eval().requires_grad_(False)
    for module, name in _stashed(frozen):
        delattr(module, name)
    return frozen


def _stashed(policy: nn.Module) -> list[tuple[nn.Module, str]]:
    """Tensors kept beside parameters, buffers and carry: a true context, a hidden memory.

    They would enter the graph as constants. Without them, a policy that reads one cannot be traced.
    """
    return [(m, name) for m in policy.modules() for name, value in vars(m).items() if isinstance(value, Tensor)]


class TensorGraph(nn.Module):
    """A module of named tensors with fixed shapes: what becomes an ONNX graph. `policy` is what it wraps."""

    policy: Any
    input_specs: tuple[TensorSpec, ...]
    output_specs: tuple[TensorSpec, ...]

    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of the right shapes to trace with."""
        return tuple(torch.full(spec.shape, 0.5) for spec in self.input_specs)


class StepGraph(TensorGraph):
    """A policy wrapped in its contract: commands in the contract's unit on both sides, batch of one.

    Raises `ExportError` when the policy reads what the contract does not deliver.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, policy: Any, contract: Contract) -> None:
        super().__init__()
        self.policy = frozen_copy(policy)
        self.names: tuple[str, ...] = tuple(self.policy.inputs)
        carry: tuple[CarryState, ...] = tuple(self.policy.carry_spec)
        try:
            check_needs(self.names, contract)
            self.input_specs = graph_inputs(self.names, contract, carry)
        except ValueError as error:
            raise ExportError(f"{type(policy).__name__}: {error}") from None
        self.output_specs = graph_outputs(contract, carry)
        self._width = {t.name: t.shape for t in graph_inputs(STEP_INPUTS, contract)}
        self.register_buffer("scale", torch.tensor([contract.action.scale]))
        self.register_buffer("offset", torch.tensor([contract.action.offset]))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the action [1, joints] in the contract's unit and the next carry, given `input_specs` in order."""
        given = dict(zip(self.names, tensors, strict=False))
        if "last_action" in given:
            given["last_action"] = (given["last_action"] - self.offset) / self.scale
        step = [given.get(name, torch.zeros(self._width[name])) for name in STEP_INPUTS]
        mean, carry = self.policy.step(*step, tuple(tensors[len(self.names) :]))
        return self.offset + self.scale * mean.clamp(-1.0, 1.0), *carry
