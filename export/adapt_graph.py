"""From a policy that adapts by gradient to an ordinary inference graph: the gradient is written out as operations.

Any number of control periods goes in. Tracing happens in a process of its own: where it fails, it leaves torch in a
state in which nothing can be exported any more.
"""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Sequence
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from export.bundle import ADAPT_GRAPH
from export.golden_adaptation import EPISODE_INPUTS, named
from export.manifest import PARITY_TOLERANCE, CarryState
from export.runtime.session import open_session
from export.step_graph import ExportError, frozen_copy
from export.to_onnx import OPSET, first_cause, portable, quiet
from export.verify import memory_error

STEPS = 7
"""Control periods of the example to trace with, or a few more; 0 and 1 tracing would take for constants."""

PARITY_STEPS = (1, 20, 60, 200, 500)
"""Not two or three: the linear baseline fits these exactly, and what is left of the advantages is rounding errors."""

PER_NUMBER = 3
"""Control periods for each number observed from which on the baseline, two features a number, does not fit exactly."""

GOLDEN_STEPS = 64


def adapt_to_onnx(policy: Any, obs_size: int) -> bytes:
    """Return `policy.adapt` as a serialised ONNX model; raises `ExportError` when it cannot be traced."""
    buffer = io.BytesIO()
    torch.save(frozen_copy(policy), buffer)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs, buffer.getvalue(), obs_size))
    process.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        answer = "the process that traced it is gone (a script needs `if __name__ == '__main__':` around what it does)"
    process.join()
    if isinstance(answer, str):
        raise ExportError(
            f"{type(policy).__name__}.adapt cannot be traced: {answer}. It may use tensors only from its arguments, "
            "parameters and buffers, and must not branch on their values"
        )
    return bytes(answer)


def adapt_parity(policy: Any, model: bytes, obs_size: int, seed: int = 0) -> float:
    """Return the largest error of the graph's next memory (relative above 1) on episodes of random numbers.

    Batches of control periods (`parity_steps`), with steps that do not count, from the blank memory and from others.
    Raises `ExportError` when it is above the tolerance.
    """
    frozen, session, rng = frozen_copy(policy), open_session(model, ADAPT_GRAPH), np.random.default_rng(seed)
    worst = 0.0
    for steps in parity_steps(obs_size):
        given = _episodes(frozen, obs_size, steps, rng)
        made = session.run([f"next_{s.name}" for s in frozen.carry_spec], given)
        worst = max(worst, memory_error(made, _by_policy(frozen, given)))
    if not worst <= PARITY_TOLERANCE:
        raise ExportError(f"{ADAPT_GRAPH} departs from the trained policy by {worst:.2g}; nothing was exported")
    return worst


def parity_steps(obs_size: int) -> tuple[int, ...]:
    """Return the numbers of control periods to compare on: one, and those whose advantages are more than rounding."""
    enough = PER_NUMBER * obs_size
    return (1, *([steps for steps in PARITY_STEPS[1:] if steps >= enough] or [enough]))


def golden_adaptation(policy: Any, obs_size: int) -> dict[str, np.ndarray]:
    """Return episodes of random numbers and what the policy's `adapt` makes of them, by their names in a bundle."""
    frozen = frozen_copy(policy)
    given = _episodes(frozen, obs_size, max(GOLDEN_STEPS, PER_NUMBER * obs_size), np.random.default_rng(1))
    names = [f"next_{state.name}" for state in frozen.carry_spec]
    return named(given | dict(zip(names, _by_policy(frozen, given), strict=True)))


def _by_policy(policy: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:
    with torch.no_grad():
        made = policy.adapt(*_split(policy, [torch.from_numpy(x) for x in given.values()]))
    return [x.numpy() for x in made]


class _Adapt(nn.Module):
    """`policy.adapt` as a function of tensors."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.policy.adapt(*_split(self.policy, tensors)))


class _Bound(nn.Module):
    """A traced function and the weights that were its first arguments: traced as constants, they would be fixed."""

    def __init__(self, traced: nn.Module, weights: Sequence[Tensor]) -> None:
        super().__init__()
        self.traced = traced
        for i, weight in enumerate(weights):
            self.register_buffer(f"weight_{i}", weight.detach().clone())
        self.count = len(weights)

    def forward(self, *tensors: Tensor) -> Any:
        return self.traced([getattr(self, f"weight_{i}") for i in range(self.count)], *tensors)


def _split(policy: Any, tensors: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    inputs = len(EPISODE_INPUTS)
    return tuple(tensors[:inputs]), tuple(tensors[inputs:])


def _work(pipe: Connection, policy: bytes, obs_size: int) -> None:
    try:
        pipe.send(_traced(torch.load(io.BytesIO(policy), weights_only=False), obs_size))
    except Exception as error:
        pipe.send(first_cause(error))


def _traced(policy: Any, obs_size: int) -> bytes:
    torch.set_num_threads(1)
    module = _Adapt(policy)
    weights = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    rng = np.random.default_rng(0)
    example = _episodes(policy, obs_size, example_steps(policy, obs_size), rng)
    tensors = [torch.from_numpy(x) for x in example.values()]

    def adapt(values: list[Tensor], *given: Tensor) -> Any:
        return torch.func.functional_call(module, dict(zip(weights, values, strict=True)), given)

    steps = torch.export.Dim("steps", min=1, max=2**20)
    with quiet():
        traced = make_fx(adapt, tracing_mode="symbolic")(list(weights.values()), *tensors)
        program = torch.onnx.export(
            _Bound(traced, list(weights.values())).eval(),
            tuple(tensors),
            input_names=list(example),
            output_names=[f"next_{state.name}" for state in policy.carry_spec],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=(tuple({0: steps} if name in EPISODE_INPUTS else None for name in example),),
        )
    assert program is not None
    _require_any_length(program.model_proto)
    return portable(program.model_proto, "adapt")


def _require_any_length(model: onnx.ModelProto) -> None:
    """Raise `ValueError` where tracing took the number of control periods of the example for a constant."""
    sizes = {given.name: given.type.tensor_type.shape.dim[0] for given in model.graph.input}
    if fixed := [name for name in EPISODE_INPUTS if not sizes[name].dim_param]:
        raise ValueError(f"{', '.join(fixed)} would fit only as long as the example's; write out its linear layers")


def example_steps(policy: nn.Module, obs_size: int) -> int:
    """Return a number of control periods that is no other size here: tracing takes equal sizes for one."""
    tensors = (*policy.parameters(), *policy.buffers())
    taken = {obs_size, *(size for tensor in tensors for size in tensor.shape)}
    taken |= {size for state in policy.carry_spec for size in state.shape}  # type: ignore[union-attr]
    return next(steps for steps in count(STEPS) if steps not in taken)


def _episodes(policy: Any, obs_size: int, steps: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return random inputs of the graph; the last tenth does not count."""
    length = max(1, steps // 3)
    mask = np.ones(steps)
    mask[steps - steps // 10 :] = 0
    given = {
        "obs": rng.normal(size=(steps, 1, obs_size)),
        "action": rng.normal(size=(steps, 1, policy.log_std.numel())),
        "reward": rng.normal(size=(steps, 1)),
        "time": (np.arange(steps) % length)[:, None],
        "mask": mask[:, None],
    }
    carry: tuple[CarryState, ...] = policy.carry_spec
    given |= {f"carry_{s.name}": s.start() + 0.05 * rng.normal(size=(1, *s.shape)) for s in carry}
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in given.items()}
