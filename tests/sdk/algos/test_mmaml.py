"""What the first episodes tell changes the policy before the gradient does; at first it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.sdk.algos.tiny_meta import gradient, learner, rollout

JUMPING = ["mmaml", "meta_network"]


@pytest.mark.parametrize("algo", JUMPING)
def test_a_new_encoder_says_nothing_and_it_is_maml_to_the_bit(algo: str) -> None:
    maml, ours = learner("maml"), learner(algo)
    ours.policy.load_state_dict(maml.policy.state_dict(), strict=False)
    seen = [rollout(of.policy) for of in (maml, ours)]
    assert torch.equal(seen[0].action, seen[1].action)
    trials = [of.trials(rows)[0] for of, rows in zip((maml, ours), seen, strict=True)]
    assert torch.equal(maml.objective(trials[0])[0], ours.objective(trials[1])[0])
    found, shared = gradient(ours, trials[1]), gradient(maml, trials[0])
    sizes = [p.numel() for p in ours.parameters]
    names = [name for name, _ in ours.policy.named_parameters()]
    parts = dict(zip(names, found.split(sizes), strict=True))
    ours_alone = torch.cat([g for name, g in parts.items() if not name.startswith("encoder")])
    assert torch.equal(ours_alone, shared)
    assert parts["encoder.last.weight"].abs().max() > 1e-6  # it will not stay silent


def talking(algo: str, **changes: Any) -> Any:
    of = learner(algo, **changes)
    nn.init.normal_(of.policy.encoder.last.weight, generator=torch.Generator().manual_seed(0))
    return of


@pytest.mark.parametrize("algo", JUMPING)
def test_what_it_says_differs_by_task_and_changes_the_policy_within_reach(algo: str) -> None:
    of = talking(algo, inner_lr=1e-9, reach=0.5)
    trials, last = of.trials(rollout(of.policy))
    told = last[:, -of.policy.jumps :]
    assert told.abs().max() <= 0.5
    assert (told[0] - told[1]).abs().max() > 1e-2
    heads = [of.policy.head(trials.query.obs, x) for x in (last, torch.zeros_like(last))]
    assert (heads[0] - heads[1]).abs().max() > 1e-3
    assert last.norm(dim=-1).max() <= of.policy.reach * of.policy.jumps**0.5


@pytest.mark.parametrize("algo", JUMPING)
def test_the_jump_is_taken_once(algo: str) -> None:
    of = talking(algo, inner_lr=1e-9)
    trials, last = of.trials(rollout(of.policy))
    again = of.policy.adapted_by(trials.query, last)
    torch.testing.assert_close(again, last)


def test_episodes_that_would_not_be_played_again_count_less() -> None:
    of = talking("mmaml", reach=3.0)
    policy, seen = of.policy, rollout(of.policy)
    (batch, *_), blank = of.cut(seen), of.policy.blank(8)
    seen_weights: list[torch.Tensor] = []

    def spy(log_prob: torch.Tensor, advantage: torch.Tensor, episodes: Any) -> torch.Tensor:
        seen_weights.append(advantage / policy.advantages(batch))
        return (log_prob * advantage).sum(0)

    policy.adapted_by(batch, blank, spy)
    weight = seen_weights[0][batch.mask.bool()].nan_to_num(1.0)
    assert weight.max() <= 1 + 1e-5
    assert weight.min() < 0.99


def test_a_meta_network_may_do_without_the_gradient_and_reads_only_so_many_steps() -> None:
    of = talking("meta_network", gradient_steps=False, steps=1)
    policy, seen = of.policy, rollout(of.policy)
    (batch, *_) = of.cut(seen)
    moved = policy.adapted_by(batch, policy.blank(8))
    assert torch.equal(moved[:, : -policy.jumps], torch.zeros_like(moved[:, : -policy.jumps]))
    assert moved[:, -policy.jumps :].abs().max() > 1e-3
    later_changed = batch._replace(reward=batch.reward + (batch.time > 0) * 5.0)
    assert torch.equal(policy.adapted_by(later_changed, policy.blank(8)), moved)
    first_changed = batch._replace(reward=batch.reward + 5.0)
    assert not torch.equal(policy.adapted_by(first_changed, policy.blank(8)), moved)
