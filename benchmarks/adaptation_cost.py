"""What adapting costs on the device: what a policy carries, its tick, and a round of adaptation between episodes.

    python -m benchmarks.adaptation_cost

Untrained policies of one robot, with the networks each has by default; time does not depend on what weights are. Times
are those of the graphs alone on one thread of this machine, the fastest of many: whatever else runs here only delays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.adaptation import fastest
from export.adapt_graph import adapt_to_onnx, golden_adaptation
from export.bundle import ADAPT_GRAPH, STEP_GRAPH
from export.runtime.session import open_session
from export.step_graph import ExportError, StepGraph
from export.to_onnx import to_onnx
from export.verify import ADAPT_PREFIX
from robots.spec import load_robot
from sdk.algos.base import algorithm_names, find_algorithm
from sdk.config import resolve_config
from sdk.engines.local import build_policy
from sdk.results import Row, measured, write_result
from sdk.train import world_shape

ROBOT, TASK = "husky", "find_goal"
"""A robot that reports rewards, so that every method can run on it."""

TICKS, ROUNDS = 2000, 50


def seconds(model: bytes, name: str, given: Mapping[str, np.ndarray], times: int) -> float:
    """Return the seconds of the fastest of so many runs of a graph."""
    session = open_session(model, name)
    return fastest({name: lambda: session.run(None, given)}, times, rounds=1)[name]


def rows(algo: str, ticks: int = TICKS, rounds: int = ROUNDS) -> list[Row]:
    """Return what a method carries, its tick, and its adaptation on 64 control periods where it has one.

    Raises `ExportError` for a policy that cannot leave.
    """
    config = resolve_config(algo, None, [f"robot={ROBOT}", f"task={TASK}"])
    contract = load_robot(ROBOT, TASK)[0].contract
    policy = build_policy(config, world_shape(config)).eval()
    graph = StepGraph(policy, contract)
    given = {
        spec.name: example.numpy().astype(np.float32)
        for spec, example in zip(graph.input_specs, graph.example(), strict=True)
    }
    carried = sum(int(np.prod(state.shape)) for state in graph.policy.carry_spec)
    tick = 1e6 * seconds(to_onnx(graph), STEP_GRAPH, given, ticks)
    found = [
        measured(f"{algo}/carried", carried, "numbers of memory"),
        measured(f"{algo}/tick", tick, "µs, the step graph alone"),
    ]
    if hasattr(policy, "adapt"):
        golden = golden_adaptation(policy, contract.obs_size)
        names = {name.removeprefix(ADAPT_PREFIX): value for name, value in golden.items()}
        episodes = {name: value for name, value in names.items() if not name.startswith("next_")}
        adapt = seconds(adapt_to_onnx(policy, contract.obs_size), ADAPT_GRAPH, episodes, rounds)
        found.append(measured(f"{algo}/adapt", 1e3 * adapt, "ms, the adapt graph alone, on 64 control periods"))
    return found


def deployable() -> list[str]:
    """Names of the methods that can leave for a robot."""
    return [name for name in algorithm_names() if find_algorithm(name).deployable]


def main(algos: Sequence[str] = ()) -> None:
    """Write `benchmarks/results/adaptation_cost.json`."""
    start, found = time.monotonic(), []
    for algo in algos or deployable():
        try:
            found += rows(algo)
        except ExportError as error:
            print(f"{algo}: {error}")
        print(algo, f"{time.monotonic() - start:.0f} s", flush=True)
    command = "python -m benchmarks.adaptation_cost"
    print(write_result("adaptation_cost", command, [0], time.monotonic() - start, found))


if __name__ == "__main__":
    main()
