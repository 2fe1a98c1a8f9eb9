"""ONNX export: deterministic bytes, the declared inputs, nothing of the machine it was made on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import pytest
import torch
from torch import nn

import export.step_graph
from export.bundle import STEP_GRAPH, Bundle
from export.manifest import BundleError, CarryState
from export.runtime.session import open_session
from export.step_graph import ExportError, StepGraph
from export.to_onnx import IR_VERSION, OPSET, to_onnx
from export.verify import check_golden
from tests.export import tiny_policy
from tests.export.tiny_policy import HIDDEN, EpisodicGru, Memoryless, TinyGru, servo_arm


@pytest.fixture(scope="module")
def model() -> bytes:
    return to_onnx(StepGraph(TinyGru(), servo_arm()[0]))


def test_two_exports_are_equal_bytes(model: bytes) -> None:
    assert to_onnx(StepGraph(TinyGru(), servo_arm()[0])) == model


def test_versions_are_those_of_the_oldest_runtime(model: bytes) -> None:
    proto = onnx.load_from_string(model)
    assert proto.ir_version == IR_VERSION
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", OPSET)]


def test_nothing_of_the_machine_is_inside(model: bytes) -> None:
    places = [str(Path(module.__file__ or "").parent).encode() for module in (torch, export.step_graph, tiny_policy)]
    for trace in (*places, b".py", b"stack_trace", b"namespace"):
        assert trace not in model, trace


def test_the_reference_evaluator_agrees(model: bytes) -> None:
    graph = StepGraph(TinyGru(), servo_arm()[0])
    rng = np.random.default_rng(0)
    given = {s.name: rng.standard_normal(s.shape, dtype=np.float32) for s in graph.input_specs}
    expected = onnx.reference.ReferenceEvaluator(onnx.load_from_string(model)).run(None, given)
    for made, reference in zip(open_session(model).run(None, given), expected, strict=True):
        np.testing.assert_allclose(made, reference, atol=1e-6)


@pytest.mark.parametrize("policy", [Memoryless, EpisodicGru], ids=["no_carry", "two_states"])
def test_inputs_and_outputs_are_the_declared_ones(policy: type[nn.Module]) -> None:
    graph = StepGraph(policy(), servo_arm()[0])
    session = open_session(to_onnx(graph))
    assert [i.name for i in session.get_inputs()] == [s.name for s in graph.input_specs]
    assert [o.name for o in session.get_outputs()] == [s.name for s in graph.output_specs]


class Wrong(TinyGru):
    """A policy whose next memory is wider than declared."""

    def step(self, *args):  # type: ignore[no-untyped-def]
        mean, (memory,) = super().step(*args)
        return mean, (torch.cat([memory, mean], 1),)


def test_a_carry_that_changes_shape_is_refused() -> None:
    with pytest.raises(BundleError, match=r"graph outputs are .*next_memory\[1, 17\]"):
        to_onnx(StepGraph(Wrong(), servo_arm()[0]))


class Branching(TinyGru):
    """Decides in Python by a tensor's value, which no graph can hold."""

    def step(self, obs, *others):  # type: ignore[no-untyped-def]
        return super().step(obs if obs.sum() > 0 else -obs, *others)


def test_a_policy_that_cannot_be_traced_is_named() -> None:
    with pytest.raises(ExportError, match="Branching.step cannot be traced"):
        to_onnx(StepGraph(Branching(), servo_arm()[0]))


class Oracle(Memoryless):
    """Reads the true context, which only simulation knows, from where training left it."""

    def step(self, obs, *others):  # type: ignore[no-untyped-def]
        return self.net(obs) + self.context[:, :1], ()


def test_a_context_left_behind_by_training_cannot_slip_in_as_a_constant() -> None:
    policy = Oracle()
    policy.context = torch.ones(1, 9)
    with pytest.raises(ExportError, match="has no attribute 'context'"):
        to_onnx(StepGraph(policy, servo_arm()[0]))
    assert policy.context.shape == (1, 9)


class Constant(Memoryless):
    """Carries adapted weights along without changing them."""

    carry_spec = (CarryState(name="weights", shape=(HIDDEN,), initial=tuple(range(HIDDEN))),)

    def step(self, obs, last_action, last_reward, episode_start, carry):  # type: ignore[no-untyped-def]
        return self.net(obs) + carry[0].sum(1, keepdim=True), carry


def test_a_carry_may_pass_through_unchanged() -> None:
    session = open_session(to_onnx(StepGraph(Constant(), servo_arm()[0])))
    weights = np.arange(HIDDEN, dtype=np.float32)[None]
    _, after = session.run(None, {"obs": np.zeros((1, 3), np.float32), "carry_weights": weights})
    np.testing.assert_array_equal(after, weights)


def test_the_exporter_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    to_onnx(StepGraph(Memoryless(), servo_arm()[0]))
    assert capfd.readouterr() == ("", "")


def test_a_lone_graph_tells_whose_it_is(bundle: Bundle) -> None:
    metadata = {p.key: p.value for p in onnx.load_from_string(bundle.files[STEP_GRAPH]).metadata_props}
    assert metadata == bundle.manifest.graph_metadata
    assert metadata["simshift.robot"] == "servo_arm"
    assert metadata["simshift.contract"] == bundle.manifest.contract.fingerprint
    assert metadata["simshift.inputs"] == "obs[1, 3], last_action[1, 1], episode_start[1, 1], carry_memory[1, 16]"
    assert '"reset": "trial"' in metadata["simshift.carry"]


def test_a_graph_under_another_manifest_is_refused(bundle: Bundle) -> None:
    other = bundle.manifest.model_copy(update={"algorithm": "varibad"})
    with pytest.raises(BundleError, match="was made for algorithm rl2, manifest.yaml says varibad; they do not belong"):
        check_golden(Bundle(other, bundle.files))
