"""Training runs on the real servo arm that take a second or two."""

from __future__ import annotations

from sdk.config import TrainConfig, resolve_config

TINY = ["steps=2400", "trials=4", "robots=4", "workers=0", "policy.hidden=[8]", "policy.memory=8", "ppo.epochs=1"]
"""Two iterations of four trials, 300 steps each."""


def tiny(algo: str = "robust", *overrides: str) -> TrainConfig:
    """Return the configuration of a tiny run."""
    return resolve_config(algo, None, [*TINY, *overrides])
