"""The arms of a comparison: each says where it trains, for how long, and what it is told of the target.

They differ in settings alone: what learns is the same in all of them. `steps` of the source and `target_steps` of the
target are what every arm may use; the oracle alone, which is what there is to reach, has `steps` of the target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from domain_rand.schema import ConfigError, nearest


@dataclass(frozen=True)
class Budget:
    """Control steps of either domain."""

    steps: int
    target_steps: int


@dataclass(frozen=True)
class Plan:
    """One training run: where, how long, with which `reward_correction`, after which other arm's run."""

    where: Literal["source", "target"]
    steps: int
    correction: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    after: str | None = None


def source_only(budget: Budget) -> Plan:
    """Train in the source and hope: the floor of every comparison."""
    return Plan("source", budget.steps)


def target_only(budget: Budget) -> Plan:
    """Train on the few steps of the target alone."""
    return Plan("target", budget.target_steps)


def oracle(budget: Budget) -> Plan:
    """Train in the target for as long as the others do in the source."""
    return Plan("target", budget.steps)


def finetune(budget: Budget) -> Plan:
    """Go on in the target where source-only ended."""
    return Plan("target", budget.target_steps, settings={"method": {"warm_up": 0}}, after="source_only")


def maxent_source(budget: Budget) -> Plan:
    """Train in the source, but with actions as random as a nearly uniform distribution's; only to go on from."""
    return Plan("source", budget.steps, settings={"method": {"target_entropy": 0.0}})


def maxent_finetune(budget: Budget) -> Plan:
    """Go on in the target where a policy that acts as randomly as it can ended."""
    return Plan("target", budget.target_steps, settings={"method": {"warm_up": 0}}, after="maxent_source")


def mixed(budget: Budget) -> Plan:
    """Train on steps of both, half and half, as if they were of one world."""
    return Plan("source", budget.steps, {"weight": 0.0, "in_batch": 0.5, "warm_up": 0, "updates": 1})


def importance(budget: Budget) -> Plan:
    """Weight the source's steps by how much likelier the target makes them."""
    return Plan("source", budget.steps, {"method": "importance"})


def par(budget: Budget) -> Plan:
    """Pay less where the target's latent dynamics foretell something else; learn from the target's steps too."""
    return Plan("source", budget.steps, {"method": "par", "in_batch": 0.25})


def darc(budget: Budget) -> Plan:
    """Pay for what the target can do too."""
    return Plan("source", budget.steps, {})


def darc_rows(budget: Budget) -> Plan:
    """As DARC, and learn from the target's steps too."""
    return Plan("source", budget.steps, {"in_batch": 0.25})


_FOUND = (
    source_only,
    target_only,
    oracle,
    finetune,
    maxent_source,
    maxent_finetune,
    mixed,
    importance,
    par,
    darc,
    darc_rows,
)

ARMS: dict[str, Callable[[Budget], Plan]] = {arm.__name__: arm for arm in _FOUND}


def plan_of(arm: str, budget: Budget) -> Plan:
    """Return what an arm does with a budget; raises `ConfigError` naming the nearest one."""
    if arm not in ARMS:
        raise ConfigError(f"unknown arm '{arm}'; {nearest(arm, tuple(ARMS))}")
    return ARMS[arm](budget)
