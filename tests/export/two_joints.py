"""A bundle with two joints that no simulator made, for what one joint cannot show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from domain_rand.randomizer import Randomization
from export.bundle import GOLDEN, MODEL_CARD, STEP_GRAPH, Bundle, write_bundle
from export.manifest import CarryState, Manifest, Parity
from export.model_card import model_card
from export.runtime.session import open_session
from export.step_graph import StepGraph
from export.to_onnx import to_onnx, with_metadata
from export.verify import golden_bytes
from robots.contract import Contract
from tests.export.tiny_policy import CREATED


def two_joints() -> Contract:
    """Two joints that differ in everything."""
    joints = [
        {"name": "hip", "pos_limit": [-1.0, 2.0], "vel_limit": 10.0, "torque_limit": 20.0},
        {"name": "knee", "pos_limit": [-2.0, 0.5], "vel_limit": 5.0, "torque_limit": 8.0},
    ]
    signals = [{"name": "joint_pos", "size": 2, "unit": "rad", "low": -4.0, "high": 4.0}]
    action = {"mode": "torque", "scale": [10.0, 4.0], "offset": [1.0, 0.0], "rate_limit": [1e4, 1e4]}
    return Contract.parse({"robot": "leg", "control_dt": 0.01, "joints": joints, "signals": signals, "action": action})


def permuted(contract: Contract) -> Contract:
    """The same joints in the opposite order, with all that belongs to them."""
    action = {k: getattr(contract.action, k)[::-1] for k in ("scale", "offset", "rate_limit")}
    plain = contract.plain()
    return Contract.parse(plain | {"joints": plain["joints"][::-1], "action": plain["action"] | action})


class Leg(nn.Module):
    """A memoryless policy for two joints."""

    inputs: tuple[str, ...] = ("obs",)
    carry_spec: tuple[CarryState, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 2)

    def step(self, obs: Tensor, *others: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.net(obs), ()


def two_joint_bundle(destination: Path) -> Bundle:
    contract = two_joints()
    graph = StepGraph(Leg(), contract)
    model = to_onnx(graph)
    manifest = Manifest(
        created=CREATED,
        producer="tests",
        algorithm="robust",
        task="stand",
        contract=contract,
        inputs=graph.input_specs,
        outputs=graph.output_specs,
        parity=Parity(max_abs_error=0, tolerance=1e-5, steps=0, episodes=0, trials=0),
        randomization=Randomization.parse({"parameters": {}}),
        seeds=(0,),
    )
    obs = np.random.default_rng(0).uniform(-1, 1, (60, 2)).astype(np.float32)
    session = open_session(model)
    action = np.concatenate([session.run(None, {"obs": row[None]})[0] for row in obs])
    files = {
        STEP_GRAPH: with_metadata(model, manifest.graph_metadata),
        GOLDEN: golden_bytes({"obs": obs, "action": action}),
        MODEL_CARD: model_card(manifest).encode(),
    }
    return write_bundle(destination, manifest, files)
