"""Export a trained policy: build its graph, prove it in closed loop, and write the bundle. All or nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from domain_rand.randomizer import Randomization
from export.adapt_graph import adapt_parity, adapt_to_onnx, golden_adaptation
from export.bundle import ADAPT_GRAPH, GOLDEN, MODEL_CARD, STEP_GRAPH, Bundle, write_bundle
from export.manifest import AdaptationSpec, EvaluationRow, Manifest, Parity, check_adaptation
from export.model_card import model_card
from export.parity import MIN_STEPS, closed_loop_parity, require_parity
from export.runtime.adaptation import open_adaptation
from export.step_graph import ExportError, StepGraph
from export.to_onnx import to_onnx, with_metadata
from export.verify import Trace, golden_bytes, require_golden
from robots.contract import Contract
from robots.robot_env import RobotEnv

WorldFactory = Callable[[], RobotEnv]

VERIFY_STREAM = "verify"
"""Worlds that no training and no evaluation ever draws from."""


def export_policy(
    policy: Any,
    contract: Contract,
    randomization: Randomization,
    destination: str | Path,
    *,
    algorithm: str,
    seeds: Sequence[int],
    provenance: Mapping[str, Any],
    evaluation: Sequence[EvaluationRow] = (),
    created: datetime.date | None = None,
    world_factory: WorldFactory | None = None,
    min_steps: int = MIN_STEPS,
    overwrite: bool = False,
) -> Manifest:
    """Verify a trained policy and write its bundle: a zip where `destination` ends in .zip, else a folder.

    `policy` is a `StepPolicy` and is left as it was; `created` defaults to today. Equal arguments give equal bytes.
    Raises `ExportError` when it cannot become a graph, `ParityError` when the graph departs from it; then nothing is
    written.
    """
    graph = StepGraph(policy, contract)
    model = to_onnx(graph)
    adaptation = _adaptation(policy, contract)
    parity, trace, task = _verify(
        policy, model, contract, world_factory or _default(contract, randomization), min_steps
    )
    manifest = Manifest(
        created=created or datetime.date.today(),
        producer=_producer(),
        algorithm=algorithm,
        task=task,
        contract=contract,
        inputs=graph.input_specs,
        outputs=graph.output_specs,
        carry=tuple(graph.policy.carry_spec),
        parity=parity,
        evaluation=tuple(evaluation),
        randomization=randomization,
        seeds=tuple(seeds),
        provenance=dict(provenance),
        adaptation=adaptation[0] if adaptation else None,
        encoder_every=getattr(policy, "encoder_every", None),
    )
    files = _files(policy, manifest, model, trace, adaptation)
    _require_reproduced(Bundle(manifest, files, str(destination)))
    return write_bundle(destination, manifest, files, overwrite=overwrite).manifest


def _files(
    policy: Any, manifest: Manifest, model: bytes, trace: Trace, adaptation: tuple[AdaptationSpec, bytes] | None
) -> dict[str, bytes]:
    """Return the bundle's files beside its manifest."""
    files = {STEP_GRAPH: with_metadata(model, manifest.graph_metadata), MODEL_CARD: model_card(manifest).encode()}
    if adaptation:
        files[ADAPT_GRAPH] = adaptation[1]
        trace = {**trace, **golden_adaptation(policy, manifest.contract.obs_size)}
    return {**files, GOLDEN: golden_bytes(trace)}


def _require_reproduced(bundle: Bundle) -> None:
    """Raise `BundleError` unless this machine makes of the graphs what the policy did."""
    require_golden(bundle)
    open_adaptation(bundle)


def _adaptation(policy: Any, contract: Contract) -> tuple[AdaptationSpec, bytes] | None:
    """Return how a policy adapts between episodes and the graph of that, proven; none where it does not."""
    if not hasattr(policy, "adapt"):
        return None
    spec: AdaptationSpec = policy.adaptation
    try:
        check_adaptation(spec, contract)
    except ValueError as error:
        raise ExportError(str(error)) from None
    model = adapt_to_onnx(policy, contract.obs_size)
    return spec.model_copy(update={"max_abs_error": adapt_parity(policy, model, contract.obs_size)}), model


def _verify(
    policy: Any, model: bytes, contract: Contract, world_factory: WorldFactory, min_steps: int
) -> tuple[Parity, Trace, str]:
    world = world_factory()
    try:
        if world.contract != contract:
            raise ExportError("the verification world was built from another contract than the policy's; use the same")
        parity, trace = closed_loop_parity(policy, model, world, min_steps=min_steps)
        require_parity(parity)
        return parity, trace, world.spec_of_robot.task.name
    finally:
        world.close()


def _default(contract: Contract, randomization: Randomization) -> WorldFactory:
    return lambda: RobotEnv(contract.robot, randomization, stream=VERIFY_STREAM)


def _producer() -> str:
    try:
        return f"simshift {version('simshift')}"
    except PackageNotFoundError:
        return "simshift (from source)"
