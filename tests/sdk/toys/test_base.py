"""What all families share: tasks by key, trials, two endings, one interface."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from sdk.config import TrainConfig, resolve_config
from sdk.engines.local import LocalEngine, build_policy, make_worlds
from sdk.toys.base import TaskKeys, ToyTrials, find_toy, make_toy, toy_names
from sdk.toys.point_robot import VARIANTS
from sdk.toys.references.base import known
from sdk.train import world_shape

FAMILIES: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in toy_names()]
FAMILIES += [("tabular_mdp", {"regret": True})]
FAMILIES += [("point_robot", {"variant": variant}) for variant in VARIANTS if variant != "dense"]
IDS = ["-".join([name, *map(str, settings.values())]) for name, settings in FAMILIES]


@pytest.fixture(params=FAMILIES, ids=IDS)
def family(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param


def built(family: tuple[str, dict[str, Any]], size: int = 8, seed: int = 0, **rest: Any) -> ToyTrials:
    name, settings = family
    return make_toy(name, settings | rest.pop("more", {}), size=size, seed=seed, **rest)


def actions(worlds: ToyTrials, indices: list[int]) -> np.ndarray:
    """Actions `[T, N, A]` that depend on the trial's index alone."""
    size = worlds.trial_steps, worlds.action_size
    rows = [np.random.default_rng(i).uniform(-1, 1, size) for i in indices]
    return np.stack(rows, axis=1)


def played(worlds: ToyTrials, indices: list[int]) -> dict[str, np.ndarray]:
    """Everything that N trials gave, `[T, N, …]`, with the first observations and contexts beside it."""
    obs, context = worlds.begin(indices)
    steps = [worlds.step(action) for action in actions(worlds, indices)]
    given = [k for k, v in steps[0]._asdict().items() if v is not None]
    return {"first": obs, "task": context} | {k: np.stack([getattr(s, k) for s in steps]) for k in given}


def test_a_trial_follows_from_its_key_whoever_else_is_played(family: tuple[str, dict[str, Any]]) -> None:
    together, apart = played(built(family), [3, 4, 5, 6]), played(built(family, size=2), [6, 3])
    for name, values in together.items():
        axis = 0 if name in ("first", "task") else 1
        assert np.array_equal(values.take([3, 0], axis), apart[name]), name


@pytest.mark.parametrize("key", [{"seed": 1}, {"stream": "held_out"}])
def test_another_seed_or_stream_holds_other_tasks(family: tuple[str, dict[str, Any]], key: dict[str, Any]) -> None:
    contexts = [built(family, **k).begin(range(8))[1] for k in ({}, key)]
    assert not np.array_equal(*contexts)


def test_tasks_of_one_stream_differ(family: tuple[str, dict[str, Any]]) -> None:
    _, context = built(family).begin(range(1000))
    assert len(np.unique(context, axis=0)) == {"gridnavi": 21, "corner": 4}.get(family[0], 1000)


def test_a_finite_stream_returns_to_its_tasks_with_other_luck() -> None:
    result = played(make_toy("bandit", {"tasks": 3, "pulls": 40}, size=6, seed=0), [0, 1, 2, 3, 4, 5])
    assert np.array_equal(result["task"][:3], result["task"][3:])
    assert len(np.unique(result["task"], axis=0)) == 3
    assert not np.array_equal(result["reward"][:, :3], result["reward"][:, 3:])


def test_episodes_are_cut_off_and_followed_by_the_next_one_s_first_observation(
    family: tuple[str, dict[str, Any]],
) -> None:
    worlds = built(family)
    result = played(worlds, list(range(8)))
    ends = np.arange(1, worlds.trial_steps + 1) % worlds.episode_steps == 0
    assert (result["truncated"] == ends[:, None]).all()
    assert (result["episode_start"] == ends[:, None]).all()
    assert not result["terminated"].any()
    assert ends.sum() == worlds.episodes
    inner = ~ends
    assert np.array_equal(result["obs"][inner], result["final_obs"][inner])


@pytest.mark.parametrize("name", ["gridnavi", "tabular_mdp"])
def test_the_true_last_observation_outlives_the_return_to_the_start(name: str) -> None:
    worlds = built((name, {}))
    result = played(worlds, list(range(8)))
    end = worlds.episode_steps - 1
    assert np.array_equal(result["obs"][end], result["first"])
    assert not np.array_equal(result["final_obs"][end], result["first"])


def test_arrays_have_the_shapes_and_types_that_learning_takes(family: tuple[str, dict[str, Any]]) -> None:
    worlds = built(family)
    result = played(worlds, [0, 1, 2])
    steps = worlds.trial_steps
    shapes = {"first": (3, worlds.obs_size), "task": (3, worlds.context_size), "reward": (steps, 3)}
    shapes |= {"obs": (steps, 3, worlds.obs_size), "sent_action": (steps, 3, worlds.action_size)}
    for name, shape in shapes.items():
        assert result[name].shape == shape
        assert result[name].dtype == np.float32


def test_an_observation_is_not_overwritten_by_later_steps(family: tuple[str, dict[str, Any]]) -> None:
    worlds = built(family)
    obs, _ = worlds.begin(range(8))
    kept = obs.copy()
    before = [obs]
    for action in actions(worlds, list(range(8)))[:3]:
        before.append(worlds.step(action).obs)
    assert np.array_equal(obs, kept)
    assert not any(np.shares_memory(a, b) for a, b in pairwise(before))


def test_what_is_sent_is_one_hot_or_inside_the_limits(family: tuple[str, dict[str, Any]]) -> None:
    worlds = built(family)
    worlds.begin(range(8))
    sent = worlds.step(np.tile(np.linspace(-3, 3, worlds.action_size), (8, 1))).sent_action
    if worlds.discrete:
        assert np.array_equal(sent, np.eye(worlds.action_size)[[-1] * 8])
    else:
        assert (np.abs(sent) == 1).all()


def test_equal_names_give_equal_numbers_and_other_names_independent_ones() -> None:
    keys = TaskKeys(0, "train", np.arange(20_000))
    first, other = keys.uniform("a", 3), keys.uniform("b", 3)
    assert np.array_equal(first[:, 1:], keys.uniform("a", 2, first=1))
    numbers = np.concatenate([first, other], -1)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.abs(np.corrcoef(numbers.T) - np.eye(6)).max() < 4 / 20_000**0.5
    assert np.abs(np.corrcoef(first[:-1, 0], first[1:, 0])[0, 1]) < 4 / 20_000**0.5


def test_the_shapes_of_the_draws() -> None:
    keys = TaskKeys(1, "train", np.arange(50_000))
    error = 50_000**-0.5
    uniform, normal, exponential = (draw("x", 1)[:, 0] for draw in (keys.uniform, keys.normal, keys.exponential))
    assert uniform.mean() == pytest.approx(0.5, abs=4 * error / 12**0.5)
    assert (normal.mean(), normal.var(), (normal**4).mean()) == pytest.approx((0, 1, 3), abs=0.15)
    assert (exponential.mean(), exponential.var()) == pytest.approx((1, 1), abs=0.06)
    counts = np.histogram(uniform, 100, (0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 160  # chi-squared, 99 degrees of freedom: p = 1e-4


# --- in a run ---------------------------------------------------------------------------------------------------------

SMALL = ["trials=6", "ppo.bptt=null", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1"]


def run(*overrides: str) -> TrainConfig:
    return resolve_config("rl2", None, [*SMALL, *overrides])


def test_workers_play_tasks_of_their_own_the_same_as_one_process() -> None:
    rollouts = []
    for workers in (2, 0):
        config = run("toy.name=gridnavi", "toy.settings.episodes=1", f"workers={workers}")
        engine = LocalEngine(config)
        try:
            policy = build_policy(config, world_shape(config))
            rollouts.append([engine.collect(policy, iteration) for iteration in range(2)])
        finally:
            engine.close()
    apart, here = rollouts
    for one, other in zip(apart, here, strict=True):
        assert one.action.equal(other.action)
        assert one.reward.equal(other.reward)
    assert not apart[0].action.equal(apart[1].action)


def test_two_workers_of_a_continuous_family_draw_distinct_tasks() -> None:
    config = run("toy.name=bandit", "workers=2")
    engine = LocalEngine(config)
    try:
        context = engine.collect(build_policy(config, world_shape(config)), 0).context[0]
    finally:
        engine.close()
    assert len({tuple(task) for task in context.tolist()}) == 6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["robot=servo_arm", "toy.name=bandit"], "a run has a robot or a toy, and robot is 'servo_arm'; leave one out"),
        (["task=reach", "toy.name=bandit"], "task is 'reach', and only robots have tasks; leave it out"),
        (["toy.nam=bandit"], r"unknown key 'toy\.nam'; did you mean 'name'\?"),
    ],
)
def test_a_wrong_choice_of_worlds_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(*overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["toy.name=bandits"], r"unknown toy 'bandits'; did you mean 'bandit'\?"),
        (["toy.name=bandit", "toy.settings.arm=3"], r"toy bandit: unknown key 'arm'; did you mean 'arms'\?"),
        (["toy.name=bandit", "toy.settings.arms=1"], r"toy bandit: 'arms' is 1: .*greater than or equal to 2"),
        (["toy.name=point_robot", "toy.settings.variant=sparse"], "toy point_robot: 'variant' is 'sparse'"),
    ],
)
def test_a_wrong_family_or_setting_names_the_nearest(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        world_shape(run(*overrides))


def test_an_effect_on_a_toy_is_refused() -> None:
    with pytest.raises(ConfigError, match="effect: the toy 'wind' has no physics to disturb; valid: none"):
        make_worlds(run("toy.name=wind"), size=2, seed=0, effect=lambda *_: [0.0])


def test_a_run_without_either_is_on_the_servo_arm_and_a_run_on_a_toy_survives_its_file() -> None:
    assert (run().robot, run().subject, run().toy) == ("servo_arm", "servo_arm", None)
    config = run("toy.name=bandit", "toy.settings.arms=3")
    assert (config.robot, config.subject) == (None, "bandit")
    assert TrainConfig.parse(config.plain()) == config


def test_every_family_has_a_best_that_nothing_known_exceeds_and_a_floor(family: tuple[str, dict[str, Any]]) -> None:
    name, settings = family
    rows = known(name, settings, tasks=300)
    best = rows["optimal" if "optimal" in rows else "oracle"]
    for row in rows.values():
        if row is not rows.get("oracle"):
            assert row.total <= best.total + 4 * np.hypot(row.standard_error, best.standard_error)
    assert rows["random"].total < best.total - 0.1 * abs(best.total)
    assert len(rows["random"].per_episode) == built(family).episodes


@pytest.mark.parametrize("name", toy_names())
def test_a_file_names_itself(name: str) -> None:
    assert find_toy(name).name == name
