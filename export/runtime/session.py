"""One onnxruntime session that never disturbs a control loop, and a graph bound to memory allocated once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from export.manifest import BundleError, TensorSpec, describe

PIECE = 4096
"""Numbers of a memory that are checked at once."""


def open_session(model: bytes, source: str = "graph") -> ort.InferenceSession:
    """Open a graph on one thread that does not spin; raises `BundleError` when onnxruntime refuses it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception classes share no public base
        raise BundleError(
            f"{source}: onnxruntime {ort.__version__} cannot load it ({error}); install onnxruntime >= 1.16"
        ) from None


def signature(session: ort.InferenceSession) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs that a graph really has; raises `BundleError` unless all are fixed-size float32."""
    sides = []
    for tensors in (session.get_inputs(), session.get_outputs()):
        for t in tensors:
            if t.type != "tensor(float)" or not all(isinstance(size, int) for size in t.shape):
                raise BundleError(f"graph tensor {t.name} is {t.type} {t.shape}; expected float32 of fixed size")
        sides.append(tuple(TensorSpec(name=t.name, shape=tuple(t.shape)) for t in tensors))
    return sides[0], sides[1]


def check_signature(
    session: ort.InferenceSession, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], source: str
) -> None:
    """Raise `BundleError` unless the graph has exactly the declared inputs and outputs."""
    for side, found, declared in zip(("inputs", "outputs"), signature(session), (inputs, outputs), strict=True):
        if found != declared:
            raise BundleError(f"{source}: graph {side} are {describe(found)}; declared are {describe(declared)}")


class BoundGraph:
    """A step graph whose inputs and outputs lie in fixed NumPy arrays; its memory alternates between two of them.

    Write `inputs[name]` and call `run`; read `outputs[name]`. `carry` is what the next `run` starts from; only `keep`
    replaces it by what the last `run` made.
    """

    def __init__(
        self, session: ort.InferenceSession, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self._session = session
        carried = {t.name.removeprefix("carry_"): t.shape for t in inputs if t.name.startswith("carry_")}
        self.inputs = _arrays({t.name: t.shape for t in inputs if not t.name.startswith("carry_")})
        self.outputs = _arrays({t.name: t.shape for t in outputs if not t.name.startswith("next_")})
        self._slots = (_arrays(carried), _arrays(carried))
        self._pieces = tuple(_pieces(slot) for slot in self._slots)
        self._bindings = tuple(self._bind(now, after) for now, after in (self._slots, self._slots[::-1]))
        self._now = 0

    @property
    def carry(self) -> dict[str, np.ndarray]:
        """The memory the next `run` starts from, by state name; write into the arrays to replace it."""
        return self._slots[self._now]

    @property
    def next_carry(self) -> dict[str, np.ndarray]:
        """The memory that the last `run` made, by state name."""
        return self._slots[1 - self._now]

    def broken_carry(self) -> str | None:
        """Return the name of a state of `next_carry` that is not finite, if there is one."""
        for name, piece, zeros in self._pieces[1 - self._now]:
            if np.vdot(zeros, piece) != 0.0:  # 0·x is NaN for NaN and the infinities, and a sum keeps it
                return name
        return None

    def run(self) -> None:
        """Evaluate the graph on `inputs` and `carry`; fills `outputs` and `next_carry`."""
        self._session.run_with_iobinding(self._bindings[self._now])

    def keep(self) -> None:
        """Make the memory of the last `run` the current one."""
        self._now = 1 - self._now

    def _bind(self, now: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> ort.IOBinding:
        binding = self._session.io_binding()
        for name, array in {**self.inputs, **{f"carry_{k}": v for k, v in now.items()}}.items():
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in {**self.outputs, **{f"next_{k}": v for k, v in after.items()}}.items():
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding


def _pieces(arrays: Mapping[str, np.ndarray]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return flat views of the arrays, none longer than what BLAS keeps on one thread, and as many zeros for each."""
    flat = [(name, array.reshape(-1)) for name, array in arrays.items()]
    parts = [(name, all_[at : at + PIECE]) for name, all_ in flat for at in range(0, len(all_), PIECE)]
    return [(name, part, np.zeros_like(part)) for name, part in parts]


def _arrays(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
