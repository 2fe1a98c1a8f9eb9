"""One round of adaptation by gradient: `adapt.onnx` beside torch's own gradient, in turns on one core.

    python -m benchmarks.adaptation

The policy is MAML's, two hidden layers of 64, for observations and actions of two numbers. torch computes the same
round eagerly: the same baseline, `torch.autograd.grad` for the slope. Times are the fastest of many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from export.adapt_graph import adapt_parity, adapt_to_onnx
from export.bundle import ADAPT_GRAPH
from export.manifest import PARITY_TOLERANCE
from export.runtime.adaptation import Adaptation
from export.runtime.session import open_session
from sdk.algos.base import Sizes, find_algorithm
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptingPolicy, on_policy
from sdk.results import Row, at_most, measured, write_result
from sdk.rl.episodes import Episodes
from sdk.rl.inner_step import shortened

EPISODES, LENGTH = 20, 100
"""Episodes of a whole adaptation, and the control periods of each."""

STEPS = {20: 40, EPISODES * LENGTH: 5}
"""Control periods that are adapted on, and how often a round of measuring calls each side."""

ROUNDS, AT_MOST = 30, 1 / 3
Given = dict[str, np.ndarray]


def policy() -> AdaptingPolicy:
    """Return the policy, untrained, as it comes after seeing rewards from −2 to 0."""
    torch.manual_seed(0)
    config = TrainConfig(algo="maml", method={"rollouts": EPISODES})
    made = find_algorithm("maml").build(Sizes(obs=2, action=2, context=1, reads_reward=True), config)
    assert isinstance(made, AdaptingPolicy)
    made.reward_range.copy_(torch.tensor([-2.0, 0.0]))
    return made.eval()


def episodes(of: AdaptingPolicy, steps: int) -> Given:
    """Return random episodes of so many control periods in all, and a blank memory, by the graph's names."""
    rng = np.random.default_rng(0)
    given = {
        "obs": rng.normal(size=(steps, 1, 2)),
        "action": rng.normal(size=(steps, 1, 2)),
        "reward": -rng.uniform(0, 2, size=(steps, 1)),
        "time": (np.arange(steps) % LENGTH)[:, None],
        "mask": np.ones((steps, 1)),
        "carry_adapted": np.zeros((1, *of.carry_spec[0].shape)),
    }
    return {name: value.astype(np.float32) for name, value in given.items()}


def by_autograd(of: AdaptingPolicy, given: Mapping[str, Tensor]) -> Tensor:
    """Return what one round makes of a blank memory, by torch's eager gradient."""
    *played, adapted = given.values()
    start = adapted.detach().requires_grad_()
    (slope,) = torch.autograd.grad(of.loss(Episodes(*played), on_policy)(start).sum(), start)
    return adapted - of.step_size * shortened(slope, of.rule.max_norm)


def fastest(sides: Mapping[str, Callable[[], object]], calls: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the shortest time of a call [s] by side, over rounds in which all take turns."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            best[name] = min(best[name], *(_timed(side) for _ in range(calls)))
    return best


def _timed(side: Callable[[], object]) -> float:
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


def step_rows(of: AdaptingPolicy, model: bytes) -> list[Row]:
    """Return what a round takes in the graph and in torch, by the control periods adapted on."""
    session, rows = open_session(model, ADAPT_GRAPH), []
    for steps, calls in STEPS.items():
        given = episodes(of, steps)
        tensors = {name: torch.from_numpy(value) for name, value in given.items()}
        sides = {"graph": lambda g=given: session.run(None, g), "torch": lambda t=tensors: by_autograd(of, t)}
        times = fastest(sides, calls)
        beside = {f"{name} µs": 1e6 * value for name, value in times.items()}
        name, unit = f"steps_{steps}", "of the time torch's autograd takes"
        ratio = times["graph"] / times["torch"]
        rows.append(at_most(name, ratio, unit, AT_MOST if steps == min(STEPS) else None, **beside))
    return rows


def whole_row(of: AdaptingPolicy, model: bytes) -> Row:
    """Return what the runtime takes between the last step of 20 episodes and the first one adapted."""
    times = []
    for _ in range(ROUNDS):
        runtime: Any = Adaptation(open_session(model, ADAPT_GRAPH), of.adaptation, of.carry_spec)
        outcome, _ = _played(runtime, of)
        assert outcome.accepted, outcome.reason
        times.append(outcome.milliseconds)
    unit = f"ms from the end of {EPISODES} episodes of {LENGTH} control periods to the policy that adapted to them"
    return measured("whole_adaptation", min(times), unit, median=float(np.median(times)))


def _played(runtime: Adaptation, of: AdaptingPolicy) -> Any:
    given, carry = episodes(of, EPISODES * LENGTH), {"adapted": episodes(of, 1)["carry_adapted"]}
    outcome = None
    for t, (obs, reward) in enumerate(zip(given["obs"][:, 0], given["reward"][:, 0], strict=True), start=1):
        runtime.act(obs, np.zeros(2))
        runtime.paid(float(reward))
        outcome = runtime.end_episode(carry) if t % LENGTH == 0 else None
    return outcome


def rows() -> list[Row]:
    """Trace the policy's adaptation and measure it."""
    torch.set_num_threads(1)
    of = policy()
    model = adapt_to_onnx(of, 2)
    error = at_most("error", adapt_parity(of, model, 2), "of a step, beside torch, relative above 1", PARITY_TOLERANCE)
    return [*step_rows(of, model), whole_row(of, model), error]


def main() -> None:
    """Write `benchmarks/results/adaptation.json`."""
    start = time.monotonic()
    found = rows()
    print(write_result("adaptation", "python -m benchmarks.adaptation", [0], time.monotonic() - start, found))


if __name__ == "__main__":
    main()
