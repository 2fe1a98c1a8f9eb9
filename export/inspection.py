"""What is inside a bundle, as plain data: everything the manifest says, and what the files themselves say."""

from __future__ import annotations

from typing import Any

from export.bundle import Bundle
from export.manifest import METADATA_PREFIX, CarryState, Manifest
from export.onnx_reader import read_onnx


def inspect(bundle: Bundle) -> dict[str, Any]:
    """Return JSON-compatible facts about a checked bundle; raises `BundleError` when a graph cannot be read."""
    m = bundle.manifest
    facts = {key: getattr(m, key) for key in ("schema_version", "producer", "algorithm", "task", "control_dt")}
    return {
        **facts,
        "robot": m.contract.robot,
        "created": m.created.isoformat(),
        "contract": m.contract.fingerprint,
        "signed_by": bundle.signature.signer if bundle.signature else None,
        "reads": list(m.step_inputs),
        "needs_reward": m.contract.needs_reward,
        "joints": _joints(m),
        "signals": [signal.model_dump(mode="json", exclude_none=True) for signal in m.contract.signals],
        "carry": [{"name": c.name, "shape": list(c.shape), "reset": c.reset, "initial": _initial(c)} for c in m.carry],
        "encoder_every": m.encoder_every,
        "parity": m.parity.plain(),
        "evaluation": [row.plain() for row in m.evaluation],
        "seeds": list(m.seeds),
        "certificate": m.certificate.plain() if m.certificate else None,
        "files": [{"name": k, "bytes": len(v), "sha256": m.files[k]} for k, v in sorted(bundle.files.items())],
        "graphs": {name: _graph(bundle, name) for name in sorted(bundle.files) if name.endswith(".onnx")},
    }


def _joints(m: Manifest) -> list[dict[str, Any]]:
    action = m.contract.action
    rows = zip(m.contract.joints, m.contract.command_limits, action.rate_limit, strict=True)
    return [
        {
            "name": joint.name,
            "command": action.mode,
            "unit": action.unit,
            "low": command[0],
            "high": command[1],
            "rate_limit": rate,
            "pos_limit": list(joint.pos_limit),
            "vel_limit": joint.vel_limit,
            "torque_limit": joint.torque_limit,
            "kp": joint.kp,
            "kd": joint.kd,
        }
        for joint, command, rate in rows
    ]


def _initial(state: CarryState) -> float | str:
    return f"{len(state.initial)} values" if isinstance(state.initial, tuple) else state.initial


def _graph(bundle: Bundle, name: str) -> dict[str, Any]:
    graph = read_onnx(bundle.files[name], f"{bundle.source}: {name}")
    return {
        "ir_version": graph.ir_version,
        "opset": graph.opsets.get("", 0),
        "operations": len(graph.nodes),
        "weights": int(sum(array.size for array in graph.weights.values())),
        "says": {k.removeprefix(METADATA_PREFIX): v for k, v in sorted(graph.metadata.items())},
    }
