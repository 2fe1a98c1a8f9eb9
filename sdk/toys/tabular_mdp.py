"""Random tabular MDPs (Duan et al. 2016, section 3.2; Osband et al. 2013).

    P(· | s, a) ~ Dirichlet(1);  mu(s, a) ~ N(1, 1);  a step pays r ~ N(mu(s, a), 1)

Protocol: 10 states, 5 actions, episodes of 10 steps from state 0; a trial is N of them. The state is observed one-hot;
the figure is the mean total reward of a trial.

A reward's noise and the luck of the draw hide which action was good. With `regret` the training stream pays the known
task's advantage Q*(s, a) − V*(s) instead. By the performance difference lemma (Kakade & Langford 2002, lemma 6.1) its
sum over an episode is the return's distance from V*, a constant of the task: the best policy stays the best. The policy
still reads the noisy reward, and held-out worlds pay it.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from sdk.toys.base import TaskKeys, Toy, ToySettings, ToyTrials

STATES, ACTIONS, STEPS = 10, 5, 10


class TabularSettings(ToySettings):
    """How many episodes a trial has."""

    episodes: int = Field(default=10, ge=1)
    regret: bool = Field(default=False, description="in training, pay the known task's advantage for rewards")


def action_values(mean_reward: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """Return `[STEPS, N, S, A]`: what action a in state s at step t is worth to the episode's end, the best following.

    Backward induction for many MDPs at once: `mean_reward` is `[N, S, A]`, `transition` `[N, S, A, S]`.
    """
    flat = transition.reshape(len(mean_reward), STATES * ACTIONS, STATES)
    values = [mean_reward]
    for _ in range(STEPS - 1):
        best = values[-1].max(-1)[:, :, None]
        values.append(mean_reward + (flat @ best).reshape(mean_reward.shape))
    return np.stack(values[::-1])


class TabularTrials(ToyTrials):
    """N random MDPs side by side; the context is mean rewards and transitions. Success is a step of reward above 1."""

    obs_size = STATES
    action_size = ACTIONS
    context_size = STATES * ACTIONS * (1 + STATES)
    episode_steps = STEPS
    discrete = True

    def __init__(self, settings: TabularSettings, size: int, *, seed: int, stream: str = "train") -> None:
        self.episodes = settings.episodes
        self._regret = settings.regret and stream == "train"
        super().__init__(settings, size, seed=seed, stream=stream)

    def draw(self, keys: TaskKeys) -> np.ndarray:
        self.mean_reward = 1 + keys.normal("rewards", STATES * ACTIONS).reshape(-1, STATES, ACTIONS)
        weight = keys.exponential("transitions", STATES * ACTIONS * STATES).reshape(-1, STATES, ACTIONS, STATES)
        self.transition = weight / weight.sum(-1, keepdims=True)
        self._noise = self.luck.normal("rewards", self.trial_steps)
        self._fate = self.luck.uniform("transitions", self.trial_steps)
        if self._regret:
            worth = action_values(self.mean_reward, self.transition)
            self._advantage = worth - worth.max(-1, keepdims=True)
        flat = self.mean_reward.reshape(len(weight), -1), self.transition.reshape(len(weight), -1)
        return np.concatenate([flat[0] - 1, STATES * flat[1] - 1], -1)

    def start(self, episode: np.ndarray) -> None:
        self.state = np.zeros(len(self.mean_reward), dtype=np.int64)

    def obs(self) -> np.ndarray:
        return np.eye(STATES)[self.state]

    def advance(self, sent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        here = np.arange(len(sent)), self.state, sent.argmax(-1)
        reward = self.mean_reward[here] + self._noise[here[0], self.now]
        self.told_reward = reward if self._regret else None
        passed = self.transition[here].cumsum(-1) < self._fate[here[0], self.now, None]
        self.state = np.minimum(passed.sum(-1), STATES - 1)  # rounding may leave the last sum below 1
        paid = self._advantage[(self.t % STEPS, *here)] if self._regret else reward
        return paid, reward > 1


TOY = Toy("tabular_mdp", "Duan et al. 2016", "10 states, 5 actions, all unknown", TabularSettings, TabularTrials)
