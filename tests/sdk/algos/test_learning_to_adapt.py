"""A lever whose sense is hidden, ten pulls before adapting and ten after: what is learned is the way to adapt."""

from __future__ import annotations

from typing import Any

import pytest

from sdk.algos.base import Sizes
from sdk.rl.rollout import collect
from tests.sdk.toy_worlds import SignBandit, learn
from tests.sdk.untrained import learner_of, untrained

WITHOUT_MEMORY = SignBandit.best_without_memory / SignBandit.trial_steps
METHOD: dict[str, Any] = {"rollouts": 10, "inner_steps": 1, "gamma": 0.9, "outer": "adam", "lr": 1e-2}


def trained(algo: str, frozen: str = "nothing", iterations: int = 20, **changes: Any) -> Any:
    """Return a policy after some iterations on 100 levers each; weights whose names begin with `frozen` stay."""
    settings = METHOD | changes
    sizes = Sizes(obs=1, action=1, context=1, reads_reward=True)
    policy = untrained(algo, sizes, method=settings, hidden=(8,))
    for name, weight in policy.named_parameters():
        weight.requires_grad_(not name.startswith(frozen))
    learn(SignBandit(100), learner_of(algo, policy, **settings), iterations)
    return policy.eval()


def after_adapting(policy: Any) -> float:
    """Return the mean reward of the last ten pulls, on levers that were never trained on."""
    levers = list(range(10**6, 10**6 + 500))
    seen = collect(SignBandit(500), policy, levers, seed=0, stream="held_out", explore=False)
    return float(seen.reward[10:].mean())


@pytest.mark.learning
def test_a_written_output_layer_tells_the_sense_and_one_that_is_not_written_cannot() -> None:
    settings = {"gradient_steps": False, "encoder": 8}
    assert after_adapting(trained("meta_network", **settings)) > -0.05
    assert after_adapting(trained("meta_network", frozen="encoder", **settings)) < WITHOUT_MEMORY + 0.01


@pytest.mark.learning
def test_modulation_tells_the_sense_where_the_gradient_s_steps_are_too_short_to() -> None:
    settings = {"inner_lr": 1e-3, "encoder": 8}
    assert after_adapting(trained("mmaml", **settings)) > -0.05
    assert after_adapting(trained("mmaml", frozen="encoder", **settings)) < WITHOUT_MEMORY + 0.01


@pytest.mark.learning
def test_a_learned_rule_makes_more_of_the_same_gradients() -> None:
    learned, plain = (
        after_adapting(trained("learned_optimizer", f, iterations=40, inner_lr=0.1)) for f in ("nothing", "learned")
    )
    assert learned > -0.01
    assert learned > plain / 2


@pytest.mark.learning
def test_a_latent_that_adapts_tells_the_sense_and_one_that_does_not_cannot() -> None:
    policy = trained("maesn", lr=5e-3, inner_lr=3.0, kl_weight=0.01)
    assert after_adapting(policy) > -0.2
    policy.adapt = lambda episodes, carry: carry
    assert after_adapting(policy) < WITHOUT_MEMORY + 0.01
