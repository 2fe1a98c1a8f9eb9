"""Policies that adapt, for two joints that no simulator made, and their bundles, adapt graph included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from domain_rand.randomizer import Randomization
from export.adapt_graph import adapt_parity, adapt_to_onnx, golden_adaptation
from export.bundle import ADAPT_GRAPH, GOLDEN, MODEL_CARD, STEP_GRAPH, Bundle, write_bundle
from export.manifest import Manifest, Parity
from export.model_card import model_card
from export.runtime.session import open_session
from export.step_graph import StepGraph
from export.to_onnx import to_onnx, with_metadata
from export.verify import golden_bytes
from robots.contract import Contract
from sdk.algos.base import Sizes, find_algorithm
from sdk.config import PolicyConfig, TrainConfig
from tests.export.tiny_policy import CREATED
from tests.export.two_joints import two_joints

EVERY, ROUNDS = 2, 3
METHOD = {"rollouts": EVERY, "inner_steps": 1, "adaptations": ROUNDS}


def rewarded() -> Contract:
    """Two joints of a robot that reports a reward."""
    return two_joints().model_copy(update={"needs_reward": True})


def adapting_policy(algo: str = "maml", obs: int = 2, action: int = 2) -> Any:
    """An untrained policy that has seen rewards from −1 to 1; what begins at zero to say nothing, says something."""
    torch.manual_seed(0)
    config = TrainConfig(algo=algo, policy=PolicyConfig(hidden=(8, 8), head_gain=0.3), method=METHOD)
    policy: Any = find_algorithm(algo).build(Sizes(obs, action, context=1, reads_reward=True), config)
    for name, weight in policy.named_parameters():
        if name in ("encoder.last.weight", "learned.readout"):
            torch.nn.init.normal_(weight, std=0.3)
    policy.normalizer.update(torch.randn(100, obs) + 0.5)
    policy.reward_range.copy_(torch.tensor([-1.0, 1.0]))
    return policy


def adapting_bundle(destination: Path, algo: str = "maml", contract: Contract | None = None) -> Bundle:
    """Of a robot that reports its reward; none: one with two joints."""
    contract = contract or rewarded()
    policy = adapting_policy(algo, contract.obs_size, len(contract.joints))
    graph, adapt = StepGraph(policy, contract), adapt_to_onnx(policy, contract.obs_size)
    model = to_onnx(graph)
    error = adapt_parity(policy, adapt, contract.obs_size)
    manifest = Manifest(
        created=CREATED,
        producer="tests",
        algorithm=algo,
        task="stand",
        contract=contract,
        inputs=graph.input_specs,
        outputs=graph.output_specs,
        carry=policy.carry_spec,
        parity=Parity(max_abs_error=0, tolerance=1e-5, steps=0, episodes=0, trials=0),
        randomization=Randomization.parse({"parameters": {}}),
        seeds=(0,),
        adaptation=policy.adaptation.model_copy(update={"max_abs_error": error}),
    )
    files = {
        STEP_GRAPH: with_metadata(model, manifest.graph_metadata),
        ADAPT_GRAPH: adapt,
        GOLDEN: golden_bytes(_trace(model, graph) | golden_adaptation(policy, contract.obs_size)),
        MODEL_CARD: model_card(manifest).encode(),
    }
    return write_bundle(destination, manifest, files)


def _trace(model: bytes, graph: StepGraph) -> dict[str, np.ndarray]:
    rng, session = np.random.default_rng(0), open_session(model)
    rows: list[dict[str, np.ndarray]] = []
    for _ in range(60):
        given = {spec.name: rng.uniform(-0.1, 0.1, spec.shape).astype(np.float32) for spec in graph.input_specs}
        if not rows:  # a trace begins with the blank memory
            given |= {f"carry_{state.name}": state.start() for state in graph.policy.carry_spec}
        names = [spec.name for spec in graph.output_specs]
        rows.append(given | dict(zip(names, session.run(names, given), strict=True)))
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
