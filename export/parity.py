"""Closed-loop parity: the exported graph beside the trained policy, on the simulated robot, one step at a time.

Both get the same inputs at every step, the policy's own carry included (teacher forcing), so that an error is the
graph's and not the robot's. The policy is called as training calls it, so the graph's units are tested too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from export.bundle import STEP_GRAPH
from export.manifest import PARITY_TOLERANCE, STEP_INPUTS, CarryState, Parity
from export.runtime.session import open_session
from export.step_graph import frozen_copy
from export.verify import Trace, step_error
from robots.robot_env import RobotEnv

MIN_STEPS, MIN_TRIALS = 1000, 2
GOLDEN_STEPS = 64


class ParityError(RuntimeError):
    """The exported graph does not do what the trained policy does; nothing was written."""


def closed_loop_parity(
    policy: Any, model: bytes, world: RobotEnv, *, min_steps: int = MIN_STEPS, seed: int = 0
) -> tuple[Parity, Trace]:
    """Drive the simulated robot with the policy and return how far the graph departed, with a golden trace.

    Runs whole trials: at least `min_steps` control steps and two trials, so every kind of reset happens.
    """
    probe = _Probe(policy, model, world)
    while probe.parity().steps < min_steps or probe.trials < MIN_TRIALS:
        _run_trial(probe, world, seed)
    return probe.parity(), probe.golden()


def require_parity(parity: Parity) -> None:
    """Raise `ParityError` when the graph departed by more than the tolerance."""
    if not parity.max_abs_error <= parity.tolerance:
        raise ParityError(
            f"{STEP_GRAPH} departs from the trained policy by {parity.max_abs_error:.2g} in {parity.steps} closed-loop "
            f"steps; at most {parity.tolerance:g} is allowed, so nothing was exported. Look for state outside the "
            "carry, inputs that policy.inputs does not declare, or a normaliser outside the policy"
        )


def _run_trial(probe: _Probe, world: RobotEnv, seed: int) -> None:
    """Play one trial as training does: an episode that ends makes room for the next until the trial's time is up."""
    obs, _ = world.reset(seed=seed, options={"world": probe.trials})
    probe.begin_trial()
    reward, start, episode = 0.0, True, 0
    for _ in range(world.spec_of_robot.task.episodes * world.horizon):
        if start:
            probe.begin_episode()
        action = probe.step(obs, world.last_action, world.robot.limiter.last, reward, start)
        obs, reward, terminated, truncated, _ = world.step(action)
        start = terminated or truncated
        if start:
            episode += 1
            obs = world.begin_episode(episode)


class _Probe:
    """Policy and graph side by side: the policy acts and owns the carry, the graph is only watched."""

    def __init__(self, policy: Any, model: bytes, world: RobotEnv) -> None:
        self._policy = frozen_copy(policy)
        self._session = open_session(model, STEP_GRAPH)
        self._states: tuple[CarryState, ...] = tuple(self._policy.carry_spec)
        self._scale, self._offset = world.contract.action.scale, world.contract.action.offset
        self._outputs = ["action", *(f"next_{s.name}" for s in self._states)]
        self._rows: list[dict[str, np.ndarray]] = []
        self._episode_starts: list[int] = []
        self._worst = 0.0
        self.trials = 0

    def begin_trial(self) -> None:
        self.trials += 1
        self._carry = tuple(torch.from_numpy(state.start()) for state in self._states)
        self._trial_begins = True

    def begin_episode(self) -> None:
        if not self._trial_begins:
            self._episode_starts.append(len(self._rows))
        self._trial_begins = False
        self._carry = tuple(
            torch.from_numpy(state.start()) if state.reset == "episode" else kept
            for state, kept in zip(self._states, self._carry, strict=True)
        )

    def step(
        self, obs: np.ndarray, last_action: list[float], last_command: list[float], reward: float, start: bool
    ) -> np.ndarray:
        """Return the policy's action [joints], normalised; compare the graph's on the way."""
        values = (obs, last_action, [reward], [float(start)])
        step = {name: _row(value) for name, value in zip(STEP_INPUTS, values, strict=True)}
        with torch.no_grad():
            mean, carry = self._policy.step(*map(torch.from_numpy, step.values()), self._carry)
        normalized = mean.clamp(-1.0, 1.0).numpy()
        self._compare(step | {"last_action": _row(last_command)}, normalized, carry)
        self._carry = carry
        return normalized[0]

    def _compare(self, step: dict[str, np.ndarray], normalized: np.ndarray, carry: tuple[Tensor, ...]) -> None:
        given = {name: step[name] for name in self._policy.inputs}
        given |= {f"carry_{s.name}": c.numpy() for s, c in zip(self._states, self._carry, strict=True)}
        command = (np.array(self._offset) + np.array(self._scale) * normalized).astype(np.float32)
        expected = [command, *(c.numpy() for c in carry)]
        made = self._session.run(self._outputs, given)
        self._worst = max(self._worst, step_error(made, expected, self._scale))
        self._rows.append(given | dict(zip(self._outputs, expected, strict=True)))

    def parity(self) -> Parity:
        """What was found up to now."""
        return Parity(
            max_abs_error=min(self._worst, np.finfo(np.float64).max),
            tolerance=PARITY_TOLERANCE,
            steps=len(self._rows),
            episodes=self.trials + len(self._episode_starts),
            trials=self.trials,
        )

    def golden(self) -> Trace:
        """Return the first step of all and the steps around the first new episode (or, if none, the second trial)."""
        middle = self._episode_starts[0] if self._episode_starts else len(self._rows) // self.trials
        first = max(0, min(middle - GOLDEN_STEPS // 2, len(self._rows) - GOLDEN_STEPS))
        chosen = sorted({0, *range(first, min(first + GOLDEN_STEPS, len(self._rows)))})
        return {name: np.concatenate([self._rows[t][name] for t in chosen]) for name in self._rows[0]}


def _row(values: Any) -> np.ndarray:
    return np.array([values], dtype=np.float32)
