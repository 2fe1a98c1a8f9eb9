"""Experts that know their world, and what they teach through the inner step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from robots.drivers.base import Reading
from robots.recordings.files import create_recording
from robots.recordings.recording import Origin, Tick
from robots.spec import load_robot
from sdk.algos.base import Sizes, find_algorithm
from sdk.algos.gmps import Gmps, GmpsConfig, GuidedPolicy, Lesson
from sdk.checkpoint import RunFolder
from sdk.config import PolicyConfig, TrainConfig, resolve_config
from sdk.engines.local import build_policy
from sdk.rl.demonstrations import read_demonstrations
from sdk.rl.distributions import Gaussian
from sdk.rl.episodes import Episodes
from sdk.rl.rollout import Rollout, collect
from sdk.rl.shown_rows import Shown, ShownRows
from sdk.train import load_policy, train, world_shape
from tests.sdk.algos.tiny_meta import METHOD, learner, rollout
from tests.sdk.toy_worlds import SignBandit, learn

ONE = Sizes(obs=1, action=1, context=1, reads_reward=True)


def built(sizes: Sizes = ONE, hidden: tuple[int, ...] = (), worlds: int | None = None, **method: Any) -> Gmps:
    """Return a learner whose experts are done, its spread 1."""
    settings = METHOD | {"expert_steps": 1, **method}
    policy = PolicyConfig(hidden=hidden, log_std=0.0)
    config = TrainConfig(algo="gmps", policy=policy, method=settings, worlds=worlds)
    torch.manual_seed(0)
    made = find_algorithm("gmps").build(sizes, config)
    assert isinstance(made, GuidedPolicy)
    made.expert_steps.fill_(1)
    return Gmps(made, config)


def two_steps(of: Gmps) -> Lesson:
    """One task: actions 0.5 and −0.25 at states 1 and 2, worth 1 and −1, played with weights that are 0."""
    column = [torch.tensor(x)[:, None, None] for x in ([1.0, 2.0], [0.5, -0.25])]
    ones = torch.ones(2, 1)
    episodes = Episodes(*column, ones, ones, ones)
    advantage = torch.tensor([[1.0], [-1.0]])
    of.policy.advantages = lambda episodes: advantage  # type: ignore[method-assign]
    for weight in of.policy.actor.parameters():
        torch.nn.init.zeros_(weight)
    played = Gaussian(torch.zeros(2, 1, 1), torch.zeros(1))
    return Lesson([0], [episodes], [played.log_prob(episodes.action)])


@pytest.mark.parametrize(("first_order", "expected"), [(False, [1.825, 1.2625]), (True, [1.0, 1.0])])
def test_the_outer_gradient_by_hand(first_order: bool, expected: list[float]) -> None:
    """The mean is tanh(w s + b) at w = b = 0, so μ = 0, μ' = (s, 1), μ'' = 0.

    Slope of the inner objective: ½ (1·½·(1, 1) − 1·(−¼)·(2, 1)) = (½, ⅜). Its derivative, by state: A (u² − 1) s sᵀ / 2
    with u the action: ½ (−¾ [1 1; 1 1] + ¹⁵⁄₁₆ [4 2; 2 1]) = [1.5 .5625; .5625 .09375]. The step 0.4 leads to
    (0.2, 0.15). There the label is such that its log-likelihood rises by (1, 1). Hence (I + 0.4 H) (1, 1).
    """
    of = built(inner_lr=0.4, first_order=first_order, inner_max_norm=1e9)
    lesson = two_steps(of)
    torch.testing.assert_close(of.adapted_on(lesson, of.start(1)), torch.tensor([[0.2, 0.15]]), rtol=1e-5, atol=1e-6)
    mean = torch.tensor(0.35).tanh()
    label = mean + 1 / (1 - mean**2)
    of.policy.taught = lambda shown: label.expand(1, 1, 1)  # type: ignore[method-assign]
    one = torch.ones(1, 1, 1)
    objective = of.imitation(lesson, Shown(one, one, one)).mean()
    found = torch.cat([g.flatten() for g in torch.autograd.grad(objective, of.parameters)])
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_without_an_inner_step_it_is_behaviour_cloning() -> None:
    of = built(hidden=(6,))
    of.policy.rule = dataclasses.replace(of.policy.rule, lr=0.0)
    lesson, seen = two_steps(of), torch.randn(5, 1, 1)
    for weight in of.policy.actor.parameters():
        torch.nn.init.normal_(weight)
    shown = Shown(seen, torch.randn(5, 1, 1), torch.empty(5, 1, 0))
    ours = torch.autograd.grad(of.imitation(lesson, shown).mean(), of.parameters)
    cloned = Gaussian(of.policy.head(seen, torch.zeros(1, of.policy.actor.adapted)), torch.zeros(1))  # type: ignore[arg-type]
    plain = torch.autograd.grad(cloned.log_prob(of.policy.taught(shown)).mean(), of.parameters)
    assert plain[0].abs().max() > 1e-3
    for a, b in zip(ours, plain, strict=True):
        assert torch.equal(a, b)


def guided() -> Any:
    of = learner("gmps", expert_steps=1)
    of.policy.expert_steps.fill_(1)
    return of


def test_the_step_of_a_robot_is_maml_s_to_the_bit_and_so_is_the_one_it_is_taught_through() -> None:
    of, maml = guided(), learner("maml")
    of.policy.load_state_dict(maml.policy.state_dict(), strict=False)
    seen = [rollout(one.policy) for one in (of, maml)]
    assert torch.equal(seen[0].action, seen[1].action)
    trials = [one.trials(rows)[0] for one, rows in zip((of, maml), seen, strict=True)]
    blank = of.policy.initial_carry(8)
    moved = [one.policy.adapt(trials[0].support[0], blank)[0] for one in (of, maml)]
    assert moved[0].abs().max() > 1e-3
    assert torch.equal(*moved)
    torch.testing.assert_close(of.adapted(trials[0])[-1], maml.adapted(trials[1])[-1])


def test_while_experts_play_nothing_adapts_and_only_they_read_the_context() -> None:
    of = learner("gmps")
    assert of.policy.experts_play
    seen = rollout(of.policy)
    told = torch.cat([seen.obs, seen.context], -1)
    with torch.no_grad():
        theirs = of.policy.expert.actions(told)
    spread = ((torch.atanh(seen.action) - theirs.mean) / theirs.log_std.exp()).std()
    assert 0.7 < spread < 1.3
    blank = of.policy.initial_carry(8)
    batch = of.cut(seen)[0]
    assert torch.equal(of.policy.adapt(batch, blank)[0], blank[0])
    of.policy.eval()
    assert not of.policy.experts_play
    assert of.policy.adapt(batch, blank)[0].abs().max() > 0


def test_only_what_adapts_is_taught_and_the_experts_stay() -> None:
    of = guided()
    before = {name: weight.clone() for name, weight in of.policy.named_parameters()}
    of.update(rollout(of.policy), 0, 0.0)
    moved = {name for name, weight in of.policy.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == {name for name in before if name.startswith("actor.")}


def test_the_states_of_adapted_policies_are_labelled_for_their_own_worlds() -> None:
    of = guided()
    of.worlds = 8
    seen = rollout(of.policy)
    of.update(seen, 0, 0.0)
    assert of.rows.worlds == list(range(8))
    drawn = of.rows.draw(list(range(8)), 50, np.random.default_rng(0))
    assert torch.equal(drawn.context[0, :, 0], torch.tensor([0.0, 1.0]).repeat(4))
    second = {0: {2.0, 3.0, 4.0}, 1: {3.0, 4.0, 5.0}}  # the steps of a trial's second episode: see TwoArms
    for world in range(8):
        assert set(drawn.obs[:, world, 0].tolist()) == second[world % 2]
    with torch.no_grad():
        asked = of.policy.expert.actions(torch.cat([drawn.obs, drawn.context], -1)).mean.tanh()
    assert torch.equal(of.policy.taught(drawn), asked)


def test_with_an_early_weight_the_unadapted_imitate_too_and_their_states_are_labelled() -> None:
    def labelled(**method: Any) -> set[float]:
        of = learner("gmps", expert_steps=1, **method)
        of.policy.expert_steps.fill_(1)
        of.worlds = 8
        of.update(rollout(of.policy), 0, 0.0)
        return set(of.rows.draw([0], 50, np.random.default_rng(0)).obs[:, 0, 0].tolist())

    assert labelled() < labelled(early_weight=0.5)

    of = built(hidden=(6,), early_weight=0.5)
    lesson, shown = two_steps(of), Shown(torch.randn(5, 1, 1), torch.randn(5, 1, 1), torch.empty(5, 1, 0))
    of.policy.rule = dataclasses.replace(of.policy.rule, lr=0.0)
    with_both = of.imitation(lesson, shown)
    of.settings = of.settings.model_copy(update={"early_weight": 0.0})
    torch.testing.assert_close(with_both, 1.5 * of.imitation(lesson, shown))


def test_lessons_of_earlier_iterations_are_kept_and_come_back_with_a_checkpoint() -> None:
    of = learner("gmps", expert_steps=1, lessons=2)
    of.policy.expert_steps.fill_(1)
    of.worlds = 8
    for iteration in range(3):
        of.update(rollout(of.policy), iteration, 0.0)
    assert len(of.lessons) == 2
    again = learner("gmps", expert_steps=1, lessons=2)
    again.policy.load_state_dict(of.policy.state_dict())
    again.load_state_dict(of.state_dict())
    for one, other in zip(of.lessons, again.lessons, strict=True):
        shown = of.rows.draw(one.worlds, 9, np.random.default_rng(0))
        assert torch.equal(of.imitation(one, shown), again.imitation(other, shown))
    late = of.lessons[1].log_prob[0], of.lessons[0].log_prob[0]
    assert not torch.equal(*late)  # each knows how likely its own actions were


def test_lessons_may_be_shorter_than_what_a_robot_adapts_on() -> None:
    config = resolve_config("gmps", None, [*NAVIGATION, "method.rollouts=4", "method.taught_on=1", "method.visits=1"])
    policy = build_policy(config, world_shape(config))
    assert isinstance(policy, GuidedPolicy)
    assert (policy.train().rule.every, policy.eval().rule.every) == (1, 4)
    assert GmpsConfig.parse(config.method, "method").episodes == 2


def test_rows_are_kept_by_world_and_the_oldest_make_room() -> None:
    rows = ShownRows(kept=3)

    def shown(first: float, count: int) -> Shown:
        return Shown((first + torch.arange(float(count)))[:, None], torch.empty(count, 0), torch.zeros(count, 1))

    rows.add(4, shown(0.0, 2))
    rows.add(4, shown(2.0, 2))
    rows.add(7, shown(50.0, 1))
    drawn = rows.draw([7, 4], 40, np.random.default_rng(0))
    assert set(drawn.obs[:, 0, 0].tolist()) == {50.0}
    assert set(drawn.obs[:, 1, 0].tolist()) == {1.0, 2.0, 3.0}
    again = ShownRows(kept=3)
    again.load_state_dict(rows.state_dict())
    assert torch.equal(
        again.draw([4], 9, np.random.default_rng(1)).obs, rows.draw([4], 9, np.random.default_rng(1)).obs
    )
    rows.keep_only([7])
    assert rows.worlds == [7]


NAVIGATION = ["toy.name=navigation", "toy.settings.episodes=4", "trials=3", "workers=0", "policy.hidden=[8]"]
NAVIGATION += ["method.rollouts=2", "method.inner_steps=1", "method.visits=1", "method.outer_steps=2"]
NAVIGATION += ["method.expert.updates_per_step=0.01", "method.expert.warm_up=0"]


def test_the_experts_steps_count_and_they_stop_when_they_have_had_theirs(tmp_path: Path) -> None:
    """900 steps an iteration: three episodes of 100 of each of three trials; two iterations reach 1000."""
    config = resolve_config("gmps", None, [*NAVIGATION, "steps=3600", "method.expert_steps=1000"])
    train(config, tmp_path / "run")
    rows = RunFolder(tmp_path / "run").metrics()
    assert [row["steps"] for row in rows] == [900, 1800, 2700, 3600]
    assert ["critic_loss" in row for row in rows] == [True, True, False, False]
    assert ["imitation" in row for row in rows] == [False, False, True, True]
    _, policy, steps = load_policy(tmp_path / "run")
    assert steps == 3600
    assert int(policy.expert_steps) == 1800  # type: ignore[arg-type]


def demonstrate(path: Path, obs: int = 2, action: int = 2, rows: int = 30) -> str:
    rng = np.random.default_rng(0)
    np.savez(path, obs=rng.uniform(-1, 1, (rows, obs)), action=rng.uniform(-1, 1, (rows, action)))
    return str(path)


def with_files(*paths: str, worlds: int | None = None) -> TrainConfig:
    files = f"method.demonstrations=[{', '.join(paths)}]"
    return resolve_config("gmps", None, [*NAVIGATION, f"worlds={worlds or len(paths)}", "steps=1800", files])


def test_files_stand_for_experts(tmp_path: Path) -> None:
    paths = [demonstrate(tmp_path / f"{k}.npz", rows=30 + k) for k in range(3)]
    config = with_files(*paths)
    train(config, tmp_path / "run")
    rows = RunFolder(tmp_path / "run").metrics()
    assert all("imitation" in row for row in rows)
    _, policy, _ = load_policy(tmp_path / "run")
    assert policy.expert is None
    of = find_algorithm("gmps").learner(policy, config)
    assert isinstance(of, Gmps)
    drawn = of.rows.draw([2], 500, np.random.default_rng(0))
    assert torch.equal(drawn.obs[:, 0].unique(dim=0), torch.from_numpy(np.load(paths[2])["obs"]).float().unique(dim=0))
    assert torch.equal(policy.taught(drawn), drawn.action)  # type: ignore[operator]


def test_files_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    good = demonstrate(tmp_path / "good.npz")
    sizes = Sizes(obs=2, action=2, context=2, reads_reward=True)

    def opened(config: TrainConfig) -> Any:
        return find_algorithm("gmps").learner(find_algorithm("gmps").build(sizes, config), config)

    wide = demonstrate(tmp_path / "wide.npz", obs=3)
    with pytest.raises(ConfigError, match=r"wide\.npz: obs has 3 numbers, the run's has 2"):
        opened(with_files(good, wide))
    narrow = demonstrate(tmp_path / "narrow.npz", action=1)
    with pytest.raises(ConfigError, match=r"narrow\.npz: action has 1 numbers, the run's has 2"):
        opened(with_files(narrow))
    with pytest.raises(ConfigError, match="2 files or folders.*worlds is 3"):
        opened(with_files(good, good, worlds=3))
    np.savez(tmp_path / "other.npz", obs=np.zeros((3, 2)))
    with pytest.raises(ConfigError, match=r"other\.npz: no array action"):
        opened(with_files(str(tmp_path / "other.npz")))
    np.savez(tmp_path / "uneven.npz", obs=np.zeros((3, 2)), action=np.zeros((2, 2)))
    with pytest.raises(ConfigError, match=r"uneven\.npz: 3 rows of obs and 2 of action"):
        opened(with_files(str(tmp_path / "uneven.npz")))
    np.savez(tmp_path / "broken.npz", obs=np.full((3, 2), np.nan), action=np.zeros((3, 2)))
    with pytest.raises(ConfigError, match=r"broken\.npz: obs is not a number in 3 rows"):
        opened(with_files(str(tmp_path / "broken.npz")))
    (tmp_path / "notes.txt").write_text("no demonstration")
    with pytest.raises(ConfigError, match=r"notes\.txt: no \.npz file"):
        opened(with_files(str(tmp_path / "notes.txt")))


def test_a_recording_of_the_robot_is_a_demonstration_and_one_of_another_is_refused(tmp_path: Path) -> None:
    contract = load_robot("husky", "find_goal")[0].contract
    path = tmp_path / "run.npz"
    writer = create_recording(path, Origin(contract))
    for i in range(20):
        signals = {signal.name: [0.1 * i] * signal.size for signal in contract.signals}
        sent = {name: 0.5 * contract.action.scale[j] for j, name in enumerate(contract.joint_names)}
        reading = Reading(i + 1, contract.control_dt * i, signals, episode_start=i == 0)
        writer.add(Tick(reading, sent, sent, 100.0), 0)
    writer.close(0)
    files = ["worlds=1", f"method.demonstrations=[{path}]"]
    config = resolve_config("gmps", None, ["robot=husky", "task=find_goal", *files])
    (shown,) = read_demonstrations(config, [str(path)], contract.obs_size, len(contract.joints))
    torch.testing.assert_close(shown.obs[:, 0], 0.1 * torch.arange(19.0))
    centred = 0.5 - torch.tensor(contract.action.offset) / torch.tensor(contract.action.scale)
    torch.testing.assert_close(shown.action, centred.float().expand(19, -1))
    with pytest.raises(ConfigError, match=r"run\.npz: an observation of"):
        read_demonstrations(resolve_config("gmps", None, ["robot=panda", *files]), [str(path)], 1, 1)


def test_more_visits_than_a_batch_are_refused() -> None:
    with pytest.raises(ConfigError, match="visits is 3"):
        TrainConfig.parse({"algo": "gmps", "method": {"rollouts": 2, "visits": 3}})
    with pytest.raises(ConfigError, match="learned by adam"):
        TrainConfig.parse({"algo": "gmps", "method": {"outer": "trpo"}})


def after_adapting(policy: Any) -> float:
    levers = list(range(10**6, 10**6 + 500))
    seen: Rollout = collect(SignBandit(500), policy, levers, seed=0, stream="held_out", explore=False)
    return float(seen.reward[10:].mean())


class Untold(SignBandit):
    """The same levers; nobody is told their sense."""

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        obs, context = super().begin(indices)
        return obs, np.zeros_like(context)


@pytest.mark.learning
def test_experts_teach_to_find_the_sense_of_a_lever_and_those_that_do_not_know_it_cannot() -> None:
    def taught(worlds: SignBandit) -> float:
        expert = {"updates_per_step": 0.1, "gamma": 0.0, "warm_up": 0, "lr": 3e-3}
        settings = {"rollouts": 10, "visits": 10, "expert_steps": 6_000, "expert": expert, "inner_lr": 0.1, "lr": 1e-2}
        of = built(hidden=(8,), **settings)
        of.policy.expert_steps.fill_(0)
        learn(worlds, of, 10)
        of.policy.eval()
        return after_adapting(of.policy)

    assert taught(SignBandit(100)) > -0.1
    assert taught(Untold(100)) < -0.25
