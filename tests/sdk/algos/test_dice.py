from __future__ import annotations

import torch

from tests.sdk.algos.tiny_meta import gradient, learner, rollout


def test_a_robot_adapts_as_with_maml_and_the_meta_gradient_differs() -> None:
    maml, ours = learner("maml"), learner("dice")
    seen = rollout(maml.policy)
    (trials, last), (other, as_well) = (of.trials(seen) for of in (maml, ours))
    torch.testing.assert_close(last, as_well)
    (deployed,) = ours.policy.adapt(other.support[0], ours.policy.initial_carry(8))
    torch.testing.assert_close(deployed, as_well)
    found, plain = gradient(ours, other), gradient(maml, trials)
    assert (found - plain).norm() > 0.01 * plain.norm()


def test_without_second_derivatives_nothing_differs() -> None:
    maml, ours = (learner(algo, first_order=True) for algo in ("maml", "dice"))
    seen = rollout(maml.policy)
    torch.testing.assert_close(*(gradient(of, of.trials(seen)[0]) for of in (maml, ours)))
