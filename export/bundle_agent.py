"""A bundle as an agent in a Gymnasium environment: normalised actions for observations, memory and limits inside."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np

from export.bundle import Bundle
from export.runtime.policy import Policy
from robots.contract import Contract
from robots.drivers.base import ContractMismatch


class BundleAgent:
    """Acts in one environment of a robot; call `begin_trial` where a new world begins, `act` once a step.

    Raises `ContractMismatch` for an environment built from another contract than the bundle's.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], bundle: Bundle) -> None:
        self.policy = Policy(bundle)
        self._env = cast(Any, env.unwrapped)
        contract: Contract = self._env.contract
        if contract.fingerprint != self.policy.contract.fingerprint:
            raise ContractMismatch(
                f"the environment follows contract {contract.fingerprint}, {bundle.source} follows "
                f"{self.policy.contract.fingerprint}"
            )
        self._offset, self._scale = np.array(contract.action.offset), np.array(contract.action.scale)

    def begin_trial(self) -> None:
        """Forget the last world."""
        self.policy.start_trial()

    def act(self, obs: np.ndarray, reward: float = 0.0, *, episode_start: bool = False) -> np.ndarray:
        """Return the action `[joints]` for an observation; `reward` is the last step's, if the policy reads it."""
        contract = self.policy.contract
        if not episode_start:
            self.policy.sent(dict(zip(contract.joint_names, self._env.robot.limiter.last, strict=True)))
        signals = {name: obs[part].tolist() for name, part in contract.signal_slices.items()}
        command = self.policy.step(signals, episode_start=episode_start, last_reward=reward)
        return ((np.array([*command.values()]) - self._offset) / self._scale).astype(np.float32)
