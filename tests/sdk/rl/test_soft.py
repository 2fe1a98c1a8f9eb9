"""The losses of soft actor-critic by hand, its densities by quadrature, its values beside Riccati's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from sdk.algos.base import Sizes
from sdk.nn.critics import TwinCritic
from sdk.offdynamics.exact.lq import riccati
from sdk.rl.distributions import SquashedGaussian
from sdk.rl.rollout import collect
from sdk.rl.sac import Lesson, Sac
from sdk.rl.soft import SoftConfig, SoftCritics, actor_loss, critic_loss, critic_target, temperature_loss
from sdk.rl.task_replay import Steps
from tests.sdk.toy_worlds import Regulated, TwoArms, learn, trial_return
from tests.sdk.untrained import learner_of, untrained

# --- losses ----------------------------------------------------------------------------------------------------------


def test_the_target_goes_on_where_an_episode_was_cut_off_and_stops_where_it_terminated() -> None:
    reward, log_prob = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([-2.0, -2.0, 3.0])
    following = torch.tensor([[4.0, 4.0, 8.0], [6.0, 6.0, 5.0]])
    terminated = torch.tensor([0.0, 1.0, 0.0])
    target = critic_target(reward, terminated, following, log_prob, torch.tensor(0.5), gamma=0.9)
    assert target.tolist() == pytest.approx([1 + 0.9 * (4 + 1), 1.0, 1 + 0.9 * (5 - 1.5)])


def test_losses_by_hand() -> None:
    value, target = torch.tensor([[1.0, 2.0], [3.0, 2.0]]), torch.tensor([2.0, 2.0])
    assert float(critic_loss(value, target)) == pytest.approx(0.5 * (0.5 + 0.5))
    log_prob = torch.tensor([-1.0, 1.0])
    assert float(actor_loss(value, log_prob, torch.tensor(0.2))) == pytest.approx((-0.2 - 1 + 0.2 - 2) / 2)


@pytest.mark.parametrize(("log_std", "rises"), [(-4.0, True), (0.0, False)])
def test_the_temperature_rises_where_actions_are_too_certain_and_falls_where_not(log_std: float, rises: bool) -> None:
    actions = SquashedGaussian(torch.zeros(500, 2), torch.full((500, 2), log_std))
    _, log_prob = actions.sample(torch.randn(500, 2, generator=torch.Generator().manual_seed(0)))
    log_temperature = torch.tensor(-1.0, requires_grad=True)
    temperature_loss(log_temperature, log_prob, target_entropy=-2.0).backward()
    assert log_temperature.grad is not None
    assert (float(log_temperature.grad) < 0) is rises
    assert (float(-log_prob.mean()) < -2.0) is rises


def test_the_temperature_settles_where_the_entropy_is_the_target() -> None:
    """An actor that answers the temperature alone: worth nothing, it would rather be certain."""
    mean, log_std = torch.zeros(1, 1), torch.nn.Parameter(torch.full((1,), -1.5))
    config = SoftConfig(lr=0.02, target_entropy=-0.5, temperature=0.5)
    soft = SoftCritics(TwinCritic(1, (4,)), [log_std], 1, config)
    noise = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    entropy = []
    for _ in range(500):
        action, log_prob = SquashedGaussian(mean, log_std).sample(noise)
        soft.descend_actor(-(action[:, 0] ** 2).expand(2, -1), log_prob, action)
        entropy.append(-float(log_prob.detach().mean()))
    assert max(entropy) > 0
    assert np.mean(entropy[300:]) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(("cost", "settled"), [(0.0, 0.8), (0.5, 0.8 / 1.5)])
def test_large_actions_cost_the_actor_what_they_are_said_to(cost: float, settled: float) -> None:
    """Worth most at 0.8, at a cost of c times its square it is best at 0.8 / (1 + c)."""
    mean = torch.nn.Parameter(torch.zeros(1, 1))
    config = SoftConfig(lr=0.02, temperature=1e-6, automatic=False, action_l2=cost)
    soft = SoftCritics(TwinCritic(1, (4,)), [mean], 1, config)
    for _ in range(400):
        action = torch.tanh(mean)
        soft.descend_actor(-((action[:, 0] - 0.8) ** 2).expand(2, -1), torch.zeros(1), action)
    assert float(torch.tanh(mean.detach())) == pytest.approx(settled, abs=0.02)


# --- tanh ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (0.7, -1.0), (-1.5, 0.5)])
def test_the_density_under_tanh_is_the_change_of_variables(mean: float, log_std: float) -> None:
    """Its log at a sample is that of the Gaussian less log |da/du|, the slope taken numerically; it sums to one."""
    noise = torch.linspace(-2, 2, 9, dtype=torch.double)[:, None]
    squashed = SquashedGaussian(torch.tensor([mean]).double(), torch.tensor([log_std]).double())
    action, log_prob = squashed.sample(noise)
    u, step = mean + np.exp(log_std) * noise[:, 0].numpy(), 1e-6
    slope = (np.tanh(u + step) - np.tanh(u - step)) / (2 * step)
    density = np.exp(-0.5 * noise[:, 0].numpy() ** 2) / (np.exp(log_std) * np.sqrt(2 * np.pi)) / slope
    np.testing.assert_allclose(log_prob.exp().numpy(), density, rtol=1e-6)
    fine = torch.linspace(-8, 8, 20_001, dtype=torch.double)[:, None]
    action, log_prob = squashed.sample(fine)
    assert float(torch.trapezoid(log_prob.exp(), action[:, 0])) == pytest.approx(1, abs=1e-4)


def test_the_density_far_out_is_finite() -> None:
    _, log_prob = SquashedGaussian(torch.tensor([[30.0], [-30.0]]), torch.zeros(1)).sample(torch.zeros(2, 1))
    assert torch.isfinite(log_prob).all()


def test_what_leaves_is_what_acts_without_noise_and_an_untrained_actor_tries_everything() -> None:
    policy = untrained("sac", Sizes(2, 1, 1, False), log_std=0.0)
    worlds = TwoArms(300)
    rollout = collect(worlds, policy, list(range(300)), seed=0, stream="train", explore=False)
    inputs = rollout.obs, rollout.last_action, rollout.last_reward, rollout.episode_start
    assert torch.equal(rollout.action, policy.step(*inputs, ())[0])
    tried = collect(worlds, policy, list(range(300)), seed=0, stream="train").action
    counts = np.histogram(tried.numpy(), bins=4, range=(-1, 1))[0] / tried.numel()
    assert (counts > 0.15).all()


def test_discrete_actions_are_refused() -> None:
    with pytest.raises(ConfigError, match="puts out continuous actions, and those here are discrete"):
        untrained("sac", Sizes(2, 3, 1, reads_reward=True, discrete=True))


# --- the learner -----------------------------------------------------------------------------------------------------


def regulator(gamma: float, **method: Any) -> Sac:
    policy = untrained("sac", Sizes(2, 2, 1, reads_reward=False), hidden=(32, 32), log_std=0.0)
    settings = {"gamma": gamma, "lr": 3e-3, "tau": 0.02, "warm_up": 400, "updates_per_step": 0.5, **method}
    learner = learner_of("sac", policy, **settings)
    assert isinstance(learner, Sac)
    return learner


def test_each_critic_learns_from_the_same_target_and_the_slow_ones_follow() -> None:
    learner = regulator(0.9, tau=0.25, updates_per_step=0.005, warm_up=0)
    before = [p.clone() for p in learner.soft.slow.parameters()]
    learn(Regulated(4), learner, 1)
    assert not torch.equal(learner.soft.critic.weights[0][0], learner.soft.critic.weights[0][1])
    for old, slow, new in zip(before, learner.soft.slow.parameters(), learner.soft.critic.parameters(), strict=True):
        torch.testing.assert_close(slow, old + 0.25 * (new - old))


@pytest.mark.parametrize(("anneal", "last"), [(False, 1.0), (True, 0.05)])
def test_steps_shrink_towards_the_end_where_asked_for(anneal: bool, last: float) -> None:
    """Adam's step is about its size, so weights move as much less."""
    moved = []
    for progress in (0.0, 1.0):
        learner = regulator(0.9, warm_up=0, updates_per_step=1e-9, anneal=anneal)
        before = learner.soft.critic.weights[0].clone()
        rollout = collect(Regulated(4), learner.policy, [0, 1, 2, 3], seed=0, stream="train")
        learner.update(rollout, 0, progress)
        moved.append(float((learner.soft.critic.weights[0] - before).detach().abs().max()))
    assert moved[1] / moved[0] == pytest.approx(last, rel=1e-3)


def test_the_actor_s_loss_moves_no_critic_and_the_critics_loss_no_actor() -> None:
    learner = regulator(0.9, warm_up=0, updates_per_step=0.005)
    learn(Regulated(4), learner, 1)
    actor, critic = learner.policy.head.parameters(), learner.soft.critic.parameters()
    before = [[p.clone() for p in group] for group in (actor, critic)]
    value = learner.soft.critic(torch.randn(7, 5))
    learner.soft.descend_critics(critic_loss(value, torch.ones(7)))
    assert all(map(torch.equal, before[0], learner.policy.head.parameters()))
    assert not any(map(torch.equal, before[1], learner.soft.critic.parameters()))


def test_what_is_learned_from_a_batch_is_asked_for_in_every_descent() -> None:
    learner, asked = regulator(0.9, warm_up=0, updates_per_step=0.02), []

    def lesson(steps: Steps, rng: np.random.Generator) -> Lesson:
        asked.append(steps.reward.shape)
        return Lesson(steps)

    learner.lesson = lesson
    learn(Regulated(4), learner, 2)
    assert asked == [(256,)] * 8


def test_with_the_temperature_near_zero_values_and_actions_are_those_of_riccati() -> None:
    """A discounted regulator, from random steps alone: γ is in both factors of A and B as its root."""
    A, B = np.array([[0.95, 0.2], [0.0, 0.9]]), np.array([[0.4, 0.1], [0.0, 0.5]])
    Q, R, gamma = np.eye(2), 0.3 * np.eye(2), 0.8
    gains = riccati(gamma**0.5 * A, gamma**0.5 * B, Q, R)
    learner = regulator(gamma, temperature=1e-3, automatic=False, tau=0.02)
    rng = np.random.default_rng(0)
    obs, action = rng.uniform(-1, 1, (4000, 2)), rng.uniform(-1, 1, (4000, 2))
    cost = ((obs @ Q) * obs).sum(-1) + ((action @ R) * action).sum(-1)
    rows = [torch.from_numpy(x.astype(np.float32)) for x in (obs, action, -cost, obs @ A.T + action @ B.T)]
    zeros = torch.zeros(4000)
    steps = Steps(rows[0], rows[1], rows[1], zeros, rows[2], rows[2], zeros, zeros, rows[3], zeros[:, None])
    for _ in range(1200):
        index = torch.from_numpy(rng.integers(0, 4000, 128))
        learner.descend(Steps(*(x[index] for x in steps)), rng)
    probe = 0.7 * rows[0][:500]
    with torch.no_grad():
        best = learner.policy.actions(probe).greedy
        value = learner.soft.critic(learner.judged(probe, torch.zeros(500, 1), best)).amin(0)
    found = -np.linalg.lstsq(probe.numpy(), best.numpy(), rcond=None)[0].T
    np.testing.assert_allclose(found, gains, atol=0.1 * np.abs(gains).max())
    expected = -discounted_cost(probe.numpy(), A, B, Q, R, gains, gamma)
    assert np.abs(value.numpy() - expected).mean() < 0.15 * np.abs(expected).mean()  # the lower of two


def discounted_cost(s: np.ndarray, A: Any, B: Any, Q: Any, R: Any, gains: Any, gamma: float) -> np.ndarray:
    """Return what a regulator pays from each of the states `s` `[M, 2]` on."""
    total = np.zeros(len(s))
    for t in range(100):
        action = -s @ gains.T
        total += gamma**t * (((s @ Q) * s).sum(-1) + ((action @ R) * action).sum(-1))
        s = s @ A.T + action @ B.T
    return total


def share_of_the_way_to_the_regulator(gamma: float) -> float:
    learner = regulator(gamma)
    learn(Regulated(4), learner, 15)
    return (trial_return(Regulated(200), learner.policy) - Regulated.of_doing_nothing) / (
        Regulated.best - Regulated.of_doing_nothing
    )


@pytest.mark.slow
def test_sac_regulates_and_without_looking_ahead_it_does_not() -> None:
    """A push pays only later: where critics see a single step, nothing speaks for it."""
    assert share_of_the_way_to_the_regulator(0.95) > 0.85
    assert share_of_the_way_to_the_regulator(0.0) < 0.2
