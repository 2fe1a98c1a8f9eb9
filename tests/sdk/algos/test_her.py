"""Hindsight on real arms: what a step would have been paid; whom it is for; and what it learns that others do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from robots.goals import GoalReward, place_of
from robots.robot_env import RobotEnv
from robots.spec import load_robot
from robots.task import Task
from robots.tasks.push import PushEpisode
from robots.tasks.reach import ReachEpisode
from robots.trial import RobotTrials
from sdk.algos.base import Sizes, find_algorithm
from sdk.algos.her import goal_conditioned, goal_of, hindsight_sac
from sdk.config import PolicyConfig, TrainConfig, resolve_config
from sdk.rl.goal_replay import GoalReplay, relabel
from sdk.rl.rollout import collect
from sdk.rl.sac import Sac
from sdk.rl.task_replay import Steps
from tests.sdk.goal_point import GoalPoint
from tests.sdk.toy_worlds import learn
from tests.sdk.untrained import untrained

STEPS = 80
EPISODES = {"reach_sparse": ReachEpisode, "push_sparse": PushEpisode}

# --- what the simulation would have paid -----------------------------------------------------------------------------


@pytest.fixture(params=[(r, t) for r in ("kuka", "panda") for t in EPISODES], ids="/".join)
def env(request: pytest.FixtureRequest) -> Iterator[RobotEnv]:
    robot, task = request.param
    env = RobotEnv(robot, task=task)
    yield env
    env.close()


def with_goals_that_end(task: Any) -> Task:
    settings: Task = task.model_copy(update={"goal_reward": GoalReward(sparse=True, ends_episode=True)})
    return settings


def played(env: RobotEnv, asked: np.ndarray | None = None) -> tuple[Steps, np.ndarray]:
    """Return an episode's steps and what they achieved, in one world under the same actions, whatever was asked for."""
    seen, _ = env.reset(seed=0, options={"world": 3})
    if asked is not None:
        drawn = env.episode
        env.episode = EPISODES[env.spec_of_robot.task.name](env.task, asked.tolist(), drawn.start, drawn.horizon)  # type: ignore[arg-type]
        seen[place_of(goal(env).signal, env.contract)] = asked
    rng, rows, achieved = np.random.default_rng(0), [], []
    for _ in range(STEPS):
        action = rng.uniform(-1, 1, env.action_space.shape).astype(np.float32)  # type: ignore[arg-type]
        followed, reward, terminated, *_ = env.step(action)
        rows.append((seen, action, action, 0.0, reward, reward, terminated, False, followed, [0.0]))
        achieved.append(env.achieved_goal)
        seen = followed
    columns = [torch.from_numpy(np.array(c, dtype=np.float32)) for c in zip(*rows, strict=True)]
    return Steps(*columns), np.array(achieved, dtype=np.float32)


def goal(env: RobotEnv) -> Any:
    found = env.task.goal()
    assert found is not None
    return found


@pytest.mark.parametrize("ending", [False, True], ids=["held", "ending"])
def test_a_relabelled_step_is_what_the_simulation_would_have_made_of_it(env: RobotEnv, ending: bool) -> None:
    """To the bit: what was reached at step 50, and points just inside and outside of the tolerance of it."""
    if ending:
        env.task = with_goals_that_end(env.task)
    steps, achieved = played(env)
    shown = place_of(goal(env).signal, env.contract)
    paid = set()
    for aside in (0.0, 0.045, -0.055):
        desired = achieved[50] + np.array([aside, *[0.0] * (achieved.shape[1] - 1)], dtype=np.float32)
        true, reached = played(env, desired)
        assert np.array_equal(reached, achieved)
        found = relabel(steps, achieved, np.tile(desired, (STEPS, 1)), goal(env), shown)
        for name in ("obs", "next_obs", "reward", "told", "terminated"):
            assert torch.equal(getattr(found, name), getattr(true, name)), name
        paid |= set(zip(found.reward.tolist(), found.terminated.tolist(), strict=True))
    assert paid == {(-1.0, 0.0), (0.0, float(ending))}


def test_worlds_report_what_was_achieved_and_the_normaliser_sees_goals_where_they_are_shown() -> None:
    worlds = RobotTrials("panda", 2, seed=0, task="reach_sparse")
    policy = untrained("her", Sizes(worlds.obs_size, worlds.action_size, worlds.context_size, False), log_std=0.0)
    rollout = collect(worlds, policy, [0, 1], seed=0, stream="train", steps=170)
    worlds.close()
    config = resolve_config("her", None, ["robot=panda", "task=reach_sparse", "method.warm_up=100000"])
    learner: Any = find_algorithm("her").learner(policy, config)
    learner.update(rollout, 0, 0.0)
    contract = load_robot("panda", "reach_sparse")[0].contract
    goals, sensed = contract.signal_slices["tool_pos_goal"], contract.signal_slices["tool_pos_world"]
    assert (rollout.final_obs[..., sensed] - rollout.achieved).abs().max() < 0.006  # six deviations of the sensor
    assert len(torch.unique(rollout.obs[:, 0, goals], dim=0)) == 2  # of two episodes
    mean, var = rollout.obs[..., goals].mean((0, 1)), rollout.obs[..., goals].var((0, 1), correction=0)
    torch.testing.assert_close(policy.normalizer.mean[goals], mean)
    torch.testing.assert_close(policy.normalizer.var[goals], var)
    drawn = learner.replay.draw(400, np.random.default_rng(0))
    torch.testing.assert_close(drawn.obs[320:, goals], drawn.next_obs[320:, goals])
    nearby = (drawn.obs[:320, None, goals] - rollout.achieved.flatten(0, 1)).abs().sum(-1).amin(1)
    assert float(nearby.max()) == 0.0


# --- for whom it is --------------------------------------------------------------------------------------------------


def test_what_has_no_goal_is_refused_with_the_names_of_those_that_do() -> None:
    valid = "valid: double_pendulum/carry, kuka/push_sparse, kuka/reach, kuka/reach_sparse"
    for overrides, message in (
        (["robot=servo_arm", "task=null"], rf"servo_arm/track_target is not paid by a goal .*; {valid}"),
        (["task=push"], rf"kuka/push is not paid by a goal .*; {valid}"),
        (["robot=null", "task=null", "toy.name=wind"], rf"the toy 'wind' has no goal .*; {valid}"),
    ):
        config = resolve_config("her", None, overrides)
        with pytest.raises(ConfigError, match=message):
            find_algorithm("her").learner(untrained("her", Sizes(4, 2, 1, False)), config)
    names = goal_conditioned()
    assert {"panda/push_sparse", "kuka/track_target"} < set(names)
    assert not {"panda/push", "servo_arm/track_target", "husky/drive_to_goal"} & set(names)


def test_a_goal_that_is_not_shown_or_shown_badly_is_refused() -> None:
    contract = load_robot("kuka", "reach_sparse")[0].contract
    assert goal_of(resolve_config("her"))[1] == contract.signal_slices["tool_pos_goal"] == slice(17, 20)
    others = [signal for signal in contract.signals if signal.name != "tool_pos_goal"]
    (shown,) = set(contract.signals) - set(others)
    late = contract.model_copy(update={"signals": (*others, shown.model_copy(update={"delay": 0.02}))})
    renamed = contract.model_copy(
        update={"signals": (shown.model_copy(update={"name": "go_to", "source": "tool_pos_goal"}), *others)}
    )
    assert place_of("tool_pos_goal", renamed) == slice(0, 3)
    with pytest.raises(ConfigError, match="kuka: tool_pos_goal is a goal, which is told as it is"):
        place_of("tool_pos_goal", late)
    with pytest.raises(ConfigError, match="kuka: 0 signals show tool_pos_goal"):
        place_of("tool_pos_goal", contract.model_copy(update={"signals": tuple(others)}))


# --- learning --------------------------------------------------------------------------------------------------------


def made(k: int, iterations: int, algo: str = "her") -> Sac:
    """Train on the point that is told where to go."""
    policy = untrained(algo, Sizes(4, 2, 1, True), hidden=(64, 64), log_std=0.0)
    method = {"warm_up": 0, "gamma": 0.95, "batch": 128, "updates_per_step": 0.25, "lr": 2e-3, "tau": 0.02}
    method |= {"k": k} if algo == "her" else {}
    config = TrainConfig(algo=algo, policy=PolicyConfig(hidden=(64, 64)), method=method)
    plain = algo == "sac"
    learner = Sac(policy, config) if plain else hindsight_sac(policy, config, GoalPoint.goal, GoalPoint.shown)
    assert isinstance(learner.replay, GoalReplay) is not plain
    learn(GoalPoint(8), learner, iterations)
    return learner


def success(learner: Sac) -> float:
    """Return the share of episodes that end at goals never asked for before."""
    rollout = collect(
        GoalPoint(200), learner.policy, list(range(10**6, 10**6 + 200)), seed=0, stream="x", explore=False
    )
    return float(rollout.success[rollout.truncated > 0].mean())


def test_without_hindsight_it_is_sac_to_the_bit() -> None:
    hindsight, plain, relabelled = made(0, 2), made(0, 2, "sac"), made(4, 2)
    for name, weight in plain.policy.state_dict().items():
        assert torch.equal(weight, hindsight.policy.state_dict()[name]), name
    same = [torch.equal(a, b) for a, b in zip(relabelled.policy.parameters(), plain.policy.parameters(), strict=True)]
    assert not any(same[:2])
    for name, weight in plain.soft.critic.state_dict().items():
        assert torch.equal(weight, hindsight.soft.critic.state_dict()[name]), name


@pytest.mark.learning
def test_hindsight_reaches_goals_that_it_was_never_paid_for_and_sac_does_not() -> None:
    assert success(made(4, 10)) > 0.9
    assert success(made(0, 10, "sac")) < 0.05
