"""Going on with what another run has learned: fine-tuning."""

from __future__ import annotations

from pathlib import Path

from domain_rand.schema import ConfigError
from sdk.checkpoint import RunFolder
from sdk.rl.learner import Learner


def take_over(learner: Learner, folder: Path) -> None:
    """Give a learner the policy, critics and optimisers that a run ended with, but not the experience it kept.

    Raises `ConfigError` for a run of another algorithm or of networks of other sizes.
    """
    state = RunFolder(folder).load()
    inner = state["learner"].get("learner", state["learner"])  # a correction's own state stays behind
    try:
        learner.policy.load_state_dict(state["policy"])
        learner.load_state_dict(inner)
    except (KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ConfigError(f"start_from: {folder} does not fit this run: {reason}") from None
