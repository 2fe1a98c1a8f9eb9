"""What variBAD believes of GridNavi's goal, cell by cell, as a trial goes on (Zintgraf et al. 2020, figure 4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from sdk.algos.varibad import Varibad, VaribadPolicy
from sdk.checkpoint import RunFolder
from sdk.engines.local import collect_in_waves, make_worlds
from sdk.evaluate import HELD_OUT
from sdk.nn.beliefs import Belief
from sdk.rl.rollout import Rollout
from sdk.toys.gridnavi import ELSEWHERE, MOVES, ON_GOAL, STEPS, WIDTH
from sdk.toys.references.gridnavi import cells
from sdk.train import load_policy

TRIALS, SAMPLES, SHOWN = 50, 200, (0, 3, 6, 9, 12, STEPS)
"""Held-out trials to choose from, latents drawn from each belief, steps that are shown."""

GRID = np.array([(x, y) for x in range(WIDTH) for y in range(WIDTH)])


@dataclass(frozen=True)
class Walk:
    """A trial: cells `[T, 2]`, the hidden goal, and the belief `[T, 5, 5]` that it is in cell (x, y), before step t."""

    path: np.ndarray
    goal: np.ndarray
    belief: np.ndarray


@torch.no_grad()
def goal_beliefs(folder: Path) -> Walk:
    """Play held-out trials with a run's last checkpoint; of these, return the one that searches longest."""
    config, policy, _ = load_policy(folder)
    assert isinstance(policy, VaribadPolicy)
    learner = Varibad(policy, config)
    learner.load_state_dict(RunFolder(folder).load()["learner"])
    worlds = make_worlds(config, size=TRIALS, seed=0, stream=HELD_OUT)
    rollout = collect_in_waves(worlds, policy, list(range(TRIALS)), 0, HELD_OUT, explore=False)
    found = (rollout.reward[:STEPS] > 0).float()
    last = (found.argmax(0) * found.amax(0)).argmax()
    trial = rollout.trials(last[None])
    beliefs, _ = policy.encoder.unroll(trial, policy.initial_carry(1))
    belief = torch.stack([_of_goal(learner, Belief(mean, log_var)) for mean, log_var in zip(*beliefs, strict=True)])
    goal = np.rint(2 * (trial.context[0, 0].numpy() + 1)).astype(int)
    return Walk(cells(trial.obs[:, 0].numpy()), goal, belief.numpy().reshape(-1, WIDTH, WIDTH))


def _of_goal(learner: Varibad, belief: Belief) -> Tensor:
    """Return what a belief `[1, L]` foretells of standing still in each cell `[25]`: the chance that it pays."""
    noise = torch.randn((SAMPLES, 1, belief.mean.shape[-1]), generator=torch.Generator().manual_seed(0))
    foretold = learner.decoder.foretold_reward(belief.sample(noise), _standing_still())[..., 0]
    if learner.settings.reward == "bernoulli":
        return foretold.sigmoid().mean(0)
    return ((foretold.mean(0) - ELSEWHERE) / (ON_GOAL - ELSEWHERE)).clamp(0, 1)


def _standing_still() -> Rollout:
    """Return one step in each cell, as 25 steps of one trial."""
    blank = dict.fromkeys(Rollout.__dataclass_fields__, torch.zeros(len(GRID), 1))
    where = torch.from_numpy(GRID / 2 - 1).float()[:, None]
    stay = torch.zeros(len(GRID), 1, len(MOVES))
    stay[..., 0] = 1
    return Rollout(**{**blank, "obs": where, "final_obs": where, "action": stay})


def draw_beliefs(path: Path, walk: Walk) -> None:
    """Write the picture: the belief, the way so far and the goal, at a few steps."""
    figure, panels = plt.subplots(1, len(SHOWN), figsize=(10, 1.95), layout="constrained")
    for axes, t in zip(panels, SHOWN, strict=True):
        axes.imshow(walk.belief[t].T, origin="lower", cmap="Blues", vmin=0, vmax=max(0.2, walk.belief[t].max()))
        first = t - t % STEPS
        axes.plot(*walk.path[first : t + 1].T, "o-", color="#e07b1a", ms=3, lw=1.2)
        axes.plot(*walk.goal, "*", color="#c43c4e", ms=9)
        axes.set(title=f"step {t % STEPS}, episode {t // STEPS + 1}", xticks=[], yticks=[])
        axes.title.set_fontsize(9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
