"""Small worlds whose best returns are known in closed form, as the robots are: N trials advancing together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from domain_rand.randomizer import keyed_rng
from robots.trial import TrialStep, TrialWorlds
from sdk.offdynamics.exact.lq import LinearQuadratic
from sdk.rl.learner import Learner
from sdk.rl.rollout import collect


class ToyTrials:
    """Bookkeeping of a trial; a world says what it shows, what it pays and where its episodes end."""

    action_size = 1
    rest_action = np.full(1, 0.25, dtype=np.float32)
    context_size = 1
    obs_size: int
    trial_steps: int

    def __init__(self, size: int) -> None:
        self.size = size

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        self.indices, self.t = np.array(indices), 0
        return self.obs(), self.context().astype(np.float32)[:, None]

    def step(self, action: np.ndarray) -> TrialStep:
        sent = self.sent(action)
        reward = self.reward(sent[:, 0]).astype(np.float32)
        self.t += 1
        final_obs, (terminated, truncated) = self.final_obs(), self.ends()
        ended = terminated | truncated
        success = np.zeros(len(ended), bool)
        return TrialStep(self.obs(), reward, terminated, truncated, final_obs, ended, sent, success)

    def close(self) -> None:
        """Nothing is held."""

    def sent(self, action: np.ndarray) -> np.ndarray:
        return np.clip(action, -1, 1)

    def final_obs(self) -> np.ndarray:
        return self.obs()

    def obs(self) -> np.ndarray:
        raise NotImplementedError

    def context(self) -> np.ndarray:
        raise NotImplementedError

    def reward(self, sent: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


class TwoArms(ToyTrials):
    """A two-armed bandit, the sign of the action being the arm; remembers every action that it was fed.

    Even worlds terminate after step 2 and are cut off after step 5, odd ones are cut off after step 3 and terminate
    after step 6. Half of an action is sent. A true last observation lies half a step behind the next first one.
    """

    obs_size = 2
    trial_steps = 6

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.fed: list[np.ndarray] = []

    def sent(self, action: np.ndarray) -> np.ndarray:
        self.fed.append(action.copy())
        return super().sent(action) / 2

    def obs(self) -> np.ndarray:
        return np.stack([np.full(len(self.indices), self.t), self.indices], -1).astype(np.float32)

    def final_obs(self) -> np.ndarray:
        return self.obs() - np.array([0.5, 0], dtype=np.float32)

    def context(self) -> np.ndarray:
        return self.indices % 2

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return ((sent > 0) == self.indices % 2) + self.t / 10

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        odd = self.indices % 2 == 1
        return np.where(odd, self.t == 6, self.t == 2), np.where(odd, self.t == 3, self.t == 5)


class SignBandit(ToyTrials):
    """A lever whose sense is hidden: a pull pays −(s·a − 0.7)², s = −1 in three worlds of ten. A pull is an episode.

    Nothing but rewards tells s, and a reward means nothing unless the pull it was paid for is remembered.
    """

    obs_size = 1
    trial_steps = 20
    best_without_memory = -20 * (0.7**2 - 0.28**2)
    """At a = 0.7·E[s] = 0.28: E(s·a − 0.7)² = a² − 2·0.7·a·E[s] + 0.7²."""
    best_when_told = 0.0

    def obs(self) -> np.ndarray:
        return np.ones((len(self.indices), 1), dtype=np.float32)

    def context(self) -> np.ndarray:
        return np.where(self.indices % 10 < 3, -1.0, 1.0)

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -((self.context() * sent - 0.7) ** 2)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        every = np.ones(len(self.indices), bool)
        return every, ~every


class Offset(ToyTrials):
    """Hit 0.6·x + 0.3·c, where x ~ U(−1, 1) is shown and c = ±1 is hidden; a step pays minus the squared miss.

    Without c the best action is 0.6·x and misses by 0.3; knowing c, nothing is missed. Episodes of five steps.
    """

    obs_size = 1
    trial_steps = 10
    best_without_context = -10 * 0.3**2
    best_when_told = 0.0
    of_doing_nothing = -10 * (0.6**2 / 3 + 0.3**2)

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        draws = [keyed_rng(0, "offset", i, "x").uniform(-1, 1, self.trial_steps + 1) for i in indices]
        self.shown = np.stack(draws, axis=1).astype(np.float32)
        return super().begin(indices)

    def obs(self) -> np.ndarray:
        return self.shown[self.t][:, None]

    def context(self) -> np.ndarray:
        return np.where(self.indices % 2, 1.0, -1.0)

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -((sent - 0.6 * self.shown[self.t] - 0.3 * self.context()) ** 2)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        cut = np.full(len(self.indices), self.t % 5 == 0)
        return np.zeros_like(cut), cut


class Recall(ToyTrials):
    """What is hidden shows at the first of four steps alone; each of the others pays −(a − 0.5 c)²."""

    obs_size = 1
    trial_steps = 4
    of_not_knowing = -3 * 0.5**2

    def context(self) -> np.ndarray:
        return np.where(self.indices % 2, 1.0, -1.0)

    def obs(self) -> np.ndarray:
        return (self.context() * (self.t == 0)).astype(np.float32)[:, None]

    def reward(self, sent: np.ndarray) -> np.ndarray:
        return -((sent - 0.5 * self.context()) ** 2) * (self.t > 0)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        cut = np.full(len(self.indices), self.t == self.trial_steps)
        return np.zeros_like(cut), cut


class Regulated(ToyTrials):
    """The linear system of `sdk.offdynamics.exact.lq`, from U[−1, 1]²: a step pays minus its cost; 50 steps."""

    obs_size = action_size = 2
    rest_action = np.zeros(2, dtype=np.float32)
    trial_steps = 50
    system = LinearQuadratic()
    best = -4.96
    """The regulator's return, its actions limited as all are; measured over 200 trials, as is the next."""
    of_doing_nothing = -154.6

    def begin(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        self.rng = keyed_rng(0, "regulated", indices[0], "luck")
        self.state = self.rng.uniform(-1, 1, (len(indices), 2))
        return super().begin(indices)

    def obs(self) -> np.ndarray:
        return self.state.astype(np.float32)

    def context(self) -> np.ndarray:
        return np.zeros(len(self.indices))

    def sent(self, action: np.ndarray) -> np.ndarray:
        self.action = super().sent(action)
        return self.action

    def reward(self, sent: np.ndarray) -> np.ndarray:
        before = self.state
        self.state = self.system.step(before, self.action, self.rng)
        cost = ((before @ self.system.Q) * before).sum(-1) + ((self.action @ self.system.R) * self.action).sum(-1)
        return -np.asarray(cost)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        cut = np.full(len(self.indices), self.t == self.trial_steps)
        return np.zeros_like(cut), cut


def learn(worlds: TrialWorlds, learner: Learner, iterations: int) -> None:
    """Train on `worlds.size` new worlds an iteration."""
    torch.set_num_threads(1)
    for i in range(iterations):
        indices = list(range(i * worlds.size, (i + 1) * worlds.size))
        rollout = collect(worlds, learner.policy, indices, seed=0, stream="train")  # type: ignore[arg-type]
        learner.update(rollout, i, i / iterations)


def trial_return(worlds: TrialWorlds, policy: Any) -> float:
    """Return the mean return of a trial, without exploration, over the worlds 10⁶ … that no training here reaches."""
    indices = list(range(10**6, 10**6 + worlds.size))
    rollout = collect(worlds, policy, indices, seed=0, stream="held_out", explore=False)
    return float(rollout.reward.sum(0).mean())
