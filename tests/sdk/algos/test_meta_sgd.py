from __future__ import annotations

import torch

from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def test_with_equal_step_sizes_it_is_maml_to_the_bit() -> None:
    maml, ours = learner("maml"), learner("meta_sgd")
    seen = [rollout(of.policy) for of in (maml, ours)]
    assert torch.equal(seen[0].action, seen[1].action)
    trials = [of.trials(rows)[0] for of, rows in zip((maml, ours), seen, strict=True)]
    assert torch.equal(maml.objective(trials[0])[0], ours.objective(trials[1])[0])
    found, shared = gradient(ours, trials[1]), gradient(maml, trials[0])
    sizes = [p.numel() for p in ours.parameters]
    names = [name for name, _ in ours.policy.named_parameters()]
    of_weights = [g for name, g in zip(names, found.split(sizes), strict=True) if name != "step_sizes"]
    assert torch.equal(torch.cat(of_weights), shared)


def test_step_sizes_are_learned_each_for_itself() -> None:
    of = learner("meta_sgd", outer="adam", lr=1e-2)
    before = of.policy.step_size.detach().clone()
    of.update(rollout(of.policy), 0, 0.0)
    moved = of.policy.step_size.detach() - before
    assert moved.abs().max() > 1e-3
    assert len(moved.unique()) > len(moved) / 2


def test_different_step_sizes_adapt_differently() -> None:
    of = learner("meta_sgd")
    trials, last = of.trials(rollout(of.policy))
    with torch.no_grad():
        of.policy.step_sizes[0] *= -3
    again = of.adapted(trials)[-1]
    torch.testing.assert_close(again[:, 0], -3 * last[:, 0])
    torch.testing.assert_close(again[:, 1:], last[:, 1:])
