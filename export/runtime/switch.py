"""Change the bundle that drives a running robot: at the next episode, or at once, without a jump in the command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from export.runtime.policy import Policy
from robots.contract import Contract
from robots.drivers.base import ContractMismatch


class SwitchablePolicy:
    """Drives as `current` does; `switch` replaces that, from any thread. Give it to the loop in place of a policy.

    A policy that takes over starts with blank memory, and its rate limit goes on from what was sent last.
    """

    def __init__(self, policy: Policy) -> None:
        self.current = policy
        self._next: tuple[Policy, bool] | None = None

    @property
    def contract(self) -> Contract:
        """The contract that all of them follow."""
        return self.current.contract

    def switch(self, policy: Policy, when: Literal["episode", "now"] = "episode") -> None:
        """Let another policy take over before the next reading, or before the next that starts an episode.

        Raises `ContractMismatch` unless it follows the same contract; nothing changes then.
        """
        if policy.contract.fingerprint != self.contract.fingerprint:
            raise ContractMismatch(
                f"the policy that is to take over follows contract {policy.contract.fingerprint}, "
                f"this robot follows {self.contract.fingerprint}"
            )
        self._next = policy, when == "now"

    def start_trial(self) -> None:
        """Begin a trial; a switch that waits happens here."""
        if self._next is not None:
            (self.current, _), self._next = self._next, None
        self.current.start_trial()

    def step(
        self,
        signals: Mapping[str, Sequence[float]],
        *,
        episode_start: bool = False,
        last_reward: float | None = None,
    ) -> dict[str, float]:
        """Return the command for one reading, as `Policy.step` does, of the policy whose turn it is."""
        due = self._next
        if due is not None and (episode_start or due[1]):
            before, self.current, self._next = self.current, due[0], None
            if episode_start:
                self.current.start_trial()
            else:
                self.current.take_over(before.last_command)
        return self.current.step(signals, episode_start=episode_start, last_reward=last_reward)

    def sent(self, command: Mapping[str, float]) -> None:
        """Tell the present policy what was sent."""
        self.current.sent(command)
