"""Every way to adapt between episodes, on a robot that has no torch: step by step what the trained policy would do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from export.step_graph import StepGraph
from sdk.rl.episodes import Episodes
from tests.export.adapting_bundle import EVERY, ROUNDS, adapting_bundle, adapting_policy, rewarded

ROOT = Path(__file__).parents[2]
FAMILY = ["maml", "meta_sgd", "cavia", "maesn", "mmaml", "meta_network", "learned_optimizer"]
"""One of each kind of policy: the others adapt as MAML does."""

PLAY = """
import sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "onnxscript", "pybullet", "gymnasium"):
            raise ImportError(name + " is not on the robot")

sys.meta_path.insert(0, Block())
import numpy as np
from export.runtime.policy import Policy

policy = Policy.load({path!r})
seen, given = [], policy._adaptation._given
policy._adaptation._given = lambda *batch: seen.append(given(*batch)) or seen[-1]
rng, paid = np.random.default_rng(0), 0.0
policy.start_trial()
for t in range({episodes} * 20 + 1):
    before = policy.carry
    obs = rng.uniform(-0.5, 0.5, 2)
    command = policy.step({{"joint_pos": obs.tolist()}}, episode_start=t % 20 == 0, last_reward=paid)
    paid = float(np.clip(command["hip"] / 10, -1, 1))
assert [outcome.reason for outcome in policy.adaptations] == [""] * {rounds}, policy.adaptations
rows = {{f"{{k}}/{{name}}": value for k, batch in enumerate(seen) for name, value in batch.items()}}
after = {{f"after/{{name}}": value for name, value in policy.carry.items()}}
np.savez({out!r}, action=policy._graph.outputs["action"], obs=obs, **rows, **after)
"""


@pytest.mark.slow
@pytest.mark.parametrize("algo", FAMILY)
def test_it_adapts_without_torch_as_the_trained_policy_would(algo: str, tmp_path: Path) -> None:
    adapting_bundle(tmp_path / "bundle", algo)
    values = {"path": str(tmp_path / "bundle"), "out": str(tmp_path / "seen.npz")}
    program = PLAY.format(episodes=EVERY * ROUNDS, rounds=ROUNDS, **values)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen, policy = np.load(tmp_path / "seen.npz"), adapting_policy(algo).eval()
    names = [state.name for state in policy.carry_spec]
    carry: tuple[torch.Tensor, ...] = ()
    for k in range(ROUNDS):
        batch = Episodes(*(torch.from_numpy(seen[f"{k}/{name}"]) for name in Episodes._fields[:5]))
        before = [torch.from_numpy(seen[f"{k}/carry_{name}"]) for name in names]
        if carry:
            torch.testing.assert_close(before[0], carry[0], rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            carry = policy.adapt(tuple(batch)[:5], tuple(before))
        assert (carry[0] - before[0]).abs().max() > 1e-3
    last = tuple(torch.from_numpy(seen[f"after/{name}"]) for name in names)
    torch.testing.assert_close(last[0], carry[0], rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        made = policy.step(torch.from_numpy(seen["obs"]).float()[None], *[torch.zeros(1, 1)] * 3, last)[0]
    scale, offset = StepGraph(policy, rewarded()).scale, StepGraph(policy, rewarded()).offset
    np.testing.assert_allclose(
        seen["action"], offset + scale * made.clamp(-1, 1), rtol=0, atol=1e-5 * float(scale.max())
    )
