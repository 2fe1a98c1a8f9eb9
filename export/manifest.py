"""What a bundle says about itself: the graph's signature and memory, the contract, where it came from. No torch."""

from __future__ import annotations

import datetime
import json
import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, JsonValue, model_validator

from domain_rand.randomizer import Randomization
from domain_rand.schema import Schema
from export.certificate import Certificate
from robots.contract import Contract

SCHEMA_VERSION: Literal[1] = 1
"""Raised whenever an older reader would misread a newer bundle."""

STEP_INPUTS = ("obs", "last_action", "last_reward", "episode_start")
"""Everything a policy may read besides its carry, in the order every graph keeps."""

ADAPTED = "adapted"
"""The memory that changes what a policy does, where it adapts between episodes; others beside it help to adapt."""

PARITY_TOLERANCE = 1e-5
METADATA_PREFIX = "simshift."

MAX_NUMBERS = 2**24
"""In one tensor of memory: 64 MiB."""

Size = Annotated[int, Field(gt=0, le=MAX_NUMBERS)]


class BundleError(ValueError):
    """A bundle that must not drive a robot; the message names the file, what is wrong and what to do."""


class TensorSpec(Schema):
    """One float32 tensor of the graph, batch dimension (always 1) included."""

    name: str
    shape: tuple[Size, ...]


class CarryState(Schema):
    """One tensor of policy memory, float32 `[1, *shape]`.

    `initial` is one number for all entries or one for each, row-major. `reset` says when memory returns to it: at the
    start of a trial (it lives through the trial's episodes) or of every episode.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    shape: tuple[Size, ...]
    initial: float | tuple[float, ...] = 0.0
    reset: Literal["trial", "episode"] = "trial"

    @model_validator(mode="after")
    def _filled(self) -> CarryState:
        if math.prod(self.shape) > MAX_NUMBERS:
            raise ValueError(f"{self.name} holds {math.prod(self.shape)} numbers; at most {MAX_NUMBERS} are accepted")
        if isinstance(self.initial, tuple) and len(self.initial) != math.prod(self.shape):
            expected = math.prod(self.shape)
            raise ValueError(
                f"initial of {self.name} has {len(self.initial)} values for shape {self.shape}: {expected}"
            )
        return self

    def start(self) -> np.ndarray:
        """Return the initial value, float32 `[1, *shape]`."""
        if isinstance(self.initial, tuple):
            return np.array(self.initial, dtype=np.float32).reshape(1, *self.shape)
        return np.full((1, *self.shape), self.initial, dtype=np.float32)


class EvaluationRow(Schema):
    """One measured number of the trained policy, with its 95 % interval where it has one."""

    name: str
    value: float
    ci95: tuple[float, float] | None = None
    unit: str


class Parity(Schema):
    """How closely the graph followed the trained policy in closed loop.

    The action's error is relative to the action scale; the carry's to its value where that is above 1.
    """

    max_abs_error: float = Field(ge=0)
    tolerance: float = Field(gt=0)
    steps: int = Field(ge=0)
    episodes: int = Field(ge=0)
    trials: int = Field(ge=0)


class MonitorSpec(Schema):
    """A graph beside the policy's that says how strange the robot's motion is, against all worlds of training.

    It reads, at every step, what the policy read, and the policy's memories in `reads` as that step left them. Each of
    its `statistics` comes in units of what one episode in so many exceeds in training worlds; the largest is the score.
    Above `fall_back` the policy's memory is kept blank; above `stop`, or after `patience` above `fall_back`, the robot
    is stopped. `smoothing` [s] is over how long each statistic looks back.
    """

    signals: tuple[str, ...] = Field(min_length=1, description="whose changes it foretells")
    reads: tuple[str, ...] = ()
    statistics: tuple[str, ...] = Field(min_length=1)
    smoothing: tuple[float, ...]
    carry: tuple[CarryState, ...] = ()
    fall_back: float = Field(gt=0)
    stop: float = Field(gt=0)
    patience: float = Field(ge=0, description="s")
    false_alarms: float = Field(ge=0, le=1, description="share of held-out episodes above `fall_back`")
    episodes: int = Field(ge=1, description="held-out episodes that were counted")
    seed: int

    @model_validator(mode="after")
    def _ordered(self) -> MonitorSpec:
        if self.stop < self.fall_back:
            raise ValueError(f"stop is {self.stop}, below fall_back, {self.fall_back}")
        if len(self.smoothing) != len(self.statistics):
            raise ValueError(f"{len(self.statistics)} statistics have {len(self.smoothing)} smoothing times")
        return self


class AdaptationSpec(Schema):
    """A graph beside the policy's that turns its memory into that of a better policy, from the episodes just played.

    After each `every` episodes of a trial, at most `rounds` times. It reads, for T control periods of these episodes,
    `obs` `[T, 1, obs]`, `action` `[T, 1, joints]` (normalised, as asked for), `reward`, `time` since the episode began
    and `mask` `[T, 1]`, and the memory `carry_*`; it makes `next_*`. Until the last round, commands carry normal noise.
    The memory `adapted` is what changes the policy.
    """

    every: int = Field(ge=1)
    rounds: int = Field(ge=1)
    exploration: tuple[float, ...] = Field(description="spread of a joint's noise, in units of the action scale")
    reward: tuple[float, float] = Field(description="least and largest reward that is believed")
    step_norm: float = Field(gt=0, description="largest change of `adapted` that is believed (L2)")
    max_steps: int = Field(ge=1, le=2**20, description="control periods of a batch of episodes that are kept at most")
    max_abs_error: float = Field(default=0.0, ge=0, description="of the graph beside the trained policy's `adapt`")


class Manifest(Schema):
    """Everything the runtime needs to drive the robot, and everything a person needs to trust it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    created: datetime.date
    producer: str
    algorithm: str
    task: str
    contract: Contract
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    carry: tuple[CarryState, ...] = ()
    parity: Parity
    evaluation: tuple[EvaluationRow, ...] = ()
    randomization: Randomization
    seeds: tuple[int, ...]
    provenance: dict[str, JsonValue] = {}
    certificate: Certificate | None = None
    monitor: MonitorSpec | None = None
    adaptation: AdaptationSpec | None = None
    encoder_every: int | None = Field(
        default=None, ge=1, description="steps between two inferences, held in the carry in between; none: at each step"
    )
    files: dict[str, str] = Field(default={}, description="SHA-256 of every other file of the bundle, by name")

    @model_validator(mode="after")
    def _one_signature(self) -> Manifest:
        check_needs(self.step_inputs, self.contract)
        if self.adaptation:
            check_adaptation(self.adaptation, self.contract)
            if ADAPTED not in (names := [state.name for state in self.carry]):
                raise ValueError(f"an adapting policy needs a memory '{ADAPTED}'; it has {', '.join(names) or 'none'}")
        for side, found, expected in (
            ("inputs", self.inputs, graph_inputs(self.step_inputs, self.contract, self.carry)),
            ("outputs", self.outputs, graph_outputs(self.contract, self.carry)),
        ):
            if found != expected:
                raise ValueError(f"{side} are {describe(found)}; contract and carry make {describe(expected)}")
        return self

    def plain(self) -> dict[str, Any]:
        """Return JSON-compatible data, without optional parts that are not there: readers before them go on reading."""
        return {key: value for key, value in super().plain().items() if value is not None}

    @property
    def step_inputs(self) -> tuple[str, ...]:
        """What the policy reads besides its carry."""
        return tuple(tensor.name for tensor in self.inputs if tensor.name in STEP_INPUTS)

    @property
    def graph_metadata(self) -> dict[str, str]:
        """What the graph says about itself, so that a lone `step.onnx` tells whose it is."""
        carry = [state.model_dump(mode="json") for state in self.carry]
        for state in carry:
            if isinstance(state["initial"], list):
                state["initial"] = "in manifest.yaml"
        facts = {
            "schema_version": str(self.schema_version),
            "producer": self.producer,
            "algorithm": self.algorithm,
            "robot": self.contract.robot,
            "task": self.task,
            "contract": self.contract.fingerprint,
            "control_dt": repr(self.control_dt),
            "inputs": describe(self.inputs),
            "outputs": describe(self.outputs),
            "carry": json.dumps(carry),
        }
        return {f"{METADATA_PREFIX}{key}": value for key, value in facts.items()}

    @property
    def control_dt(self) -> float:
        """Seconds between two steps of the graph; the contract's."""
        return self.contract.control_dt


def graph_inputs(
    names: tuple[str, ...], contract: Contract, carry: tuple[CarryState, ...] = ()
) -> tuple[TensorSpec, ...]:
    """Return the graph's inputs: the named step inputs, then one tensor for each carry state.

    Raises `ValueError` when two states share a name.
    """
    if len({c.name for c in carry}) != len(carry):
        raise ValueError(f"two carry states share a name: {', '.join(c.name for c in carry)}")
    width = {"obs": contract.obs_size, "last_action": len(contract.joints), "last_reward": 1, "episode_start": 1}
    step = [TensorSpec(name=name, shape=(1, width[name])) for name in names]
    return (*step, *(TensorSpec(name=f"carry_{c.name}", shape=(1, *c.shape)) for c in carry))


def graph_outputs(contract: Contract, carry: tuple[CarryState, ...] = ()) -> tuple[TensorSpec, ...]:
    """Return the graph's outputs: the action, then the next value of each carry state."""
    action = TensorSpec(name="action", shape=(1, len(contract.joints)))
    return (action, *(TensorSpec(name=f"next_{c.name}", shape=(1, *c.shape)) for c in carry))


def check_needs(names: tuple[str, ...], contract: Contract) -> None:
    """Raise `ValueError` unless the step inputs are known, in order, and met by what the contract delivers."""
    if names != tuple(name for name in STEP_INPUTS if name in names) or not names:
        raise ValueError(f"step inputs are {names}; choose from {STEP_INPUTS}, in that order, each once")
    if "last_reward" in names and not contract.needs_reward:
        raise ValueError(
            f"the policy reads last_reward, but the contract of {contract.robot} has needs_reward: false; "
            "train without reward input, or set needs_reward: true for a robot that can measure its reward"
        )


def check_adaptation(spec: AdaptationSpec, contract: Contract) -> None:
    """Raise `ValueError` unless the contract delivers what a policy adapts by, for as many joints."""
    if not contract.needs_reward:
        raise ValueError(
            f"the policy adapts by the rewards of its episodes, but the contract of {contract.robot} has needs_reward: "
            "false; train one that infers from observations, or set needs_reward: true for a robot that can measure it"
        )
    if len(spec.exploration) != len(contract.joints):
        raise ValueError(f"exploration has {len(spec.exploration)} values for {len(contract.joints)} joints")


def describe(tensors: tuple[TensorSpec, ...]) -> str:
    """Return a signature as text, for messages."""
    return ", ".join(f"{t.name}{list(t.shape)}" for t in tensors) or "none"
