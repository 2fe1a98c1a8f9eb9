"""What is timed on either side is the same round, and a whole adaptation is one that is accepted."""

from __future__ import annotations

import torch

from benchmarks.adaptation import EPISODES, LENGTH, STEPS, by_autograd, episodes, policy, step_rows, whole_row
from export.adapt_graph import adapt_to_onnx
from export.bundle import ADAPT_GRAPH
from export.runtime.session import open_session


def test_torch_s_own_gradient_is_what_the_graph_takes() -> None:
    of = policy()
    model = adapt_to_onnx(of, 2)
    for steps in STEPS:
        given = episodes(of, steps)
        (made,) = open_session(model, ADAPT_GRAPH).run(None, given)
        by_torch = by_autograd(of, {name: torch.from_numpy(value) for name, value in given.items()})
        torch.testing.assert_close(torch.from_numpy(made), by_torch, rtol=0, atol=1e-5)
        assert by_torch.abs().max() > 1e-4
    few, many = step_rows(of, model)
    assert (few.bar, many.bar, many.name) == ("<= 0.333333", None, f"steps_{EPISODES * LENGTH}")
    assert whole_row(of, model).value > 0
