"""Worlds that differ from those of a robot's files: what is drawn there, and what no parameter of theirs describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain_rand.parameters import TABLE
from domain_rand.randomizer import Randomization
from domain_rand.schema import ConfigError, nearest
from robots.effects import effect_named, summed
from robots.model import Engine
from robots.robot_env import EnvSettings
from robots.simulated import Effect
from robots.spec import RobotSpec, load_robot
from sdk.config import TrainConfig
from sdk.offdynamics.settings import Dynamics, TargetSettings

STIFFNESS, DAMPING = 2000.0, 20.0
"""Of an end stop [N·m/rad, N·m·s/rad; N/m, N·s/m]: soft enough for drives that act at 200 Hz."""


def changed_dynamics(config: TrainConfig, effect: Effect | None) -> EnvSettings:
    """Return what a run's worlds draw, their torques with `effect`'s beside them, and what simulates them."""
    if config.dynamics is None:
        return {"effect": effect}
    assert config.robot is not None
    spec, own = load_robot(config.robot, config.task)
    found = [one for one in (effect, effect_of(config.dynamics, spec)) if one is not None]
    drawn = randomization_of(config.dynamics, own)
    return {"randomization": drawn, "effect": summed(found) if found else None, "engine": config.dynamics.engine}


def randomization_of(dynamics: Dynamics, own: Randomization) -> Randomization:
    """Return what is drawn there, where a robot's files say `own`. Raises `ConfigError` for an unknown parameter."""
    data = own.plain()
    entries: dict[str, Any] = data["parameters"]
    if dynamics.nominal:
        entries = {name: entry for name, entry in entries.items() if TABLE[entry["parameter"]].group == "goal"}
        data["groups"] = {}
    for name, value in dynamics.params.items():
        if name not in entries:
            raise ConfigError(f"dynamics.params: no parameter '{name}'; {nearest(name, tuple(entries))}")
        entries[name] = {**entries[name], "draw": {"distribution": "choice", "values": [value]}}
    entries = {**entries, **{name: entry.plain() for name, entry in dynamics.randomization.items()}}
    return Randomization.parse({**data, "parameters": entries}, "dynamics")


def effect_of(dynamics: Dynamics, spec: RobotSpec) -> Effect | None:
    """Return the torques that come on top there. Raises `ConfigError` for an unknown effect or joint."""
    named = effect_named(dynamics.effect or "none")
    stops = end_stops(dynamics.limits, spec.joint_names) if dynamics.limits else None
    found = [effect for effect in (named, stops) if effect is not None]
    return summed(found) if len(found) > 1 else next(iter(found), None)


def end_stops(limits: dict[str, tuple[float, float]], joints: Sequence[str]) -> Effect:
    """Return springs and dampers that push joints back where they leave their range [rad or m], and never pull."""
    for name in limits:
        if name not in joints:
            raise ConfigError(f"dynamics.limits: no joint '{name}'; {nearest(name, tuple(joints))}")
    rows = [(joints.index(name), low, high) for name, (low, high) in limits.items()]

    def effect(time: float, joint_pos: Sequence[float], joint_vel: Sequence[float]) -> list[float]:
        torques = [0.0] * len(joint_pos)
        for joint, low, high in rows:
            pos, rate = joint_pos[joint], DAMPING * joint_vel[joint]
            if pos > high:
                torques[joint] = min(0.0, STIFFNESS * (high - pos) - rate)
            elif pos < low:
                torques[joint] = max(0.0, STIFFNESS * (low - pos) - rate)
        return torques

    return effect


def in_engine(config: TrainConfig, engine: Engine | None) -> TrainConfig:
    """Return a run's configuration with its robot in another engine; none: where it is. Raises `ConfigError`."""
    if engine is None:
        return config
    if config.robot is None:
        raise ConfigError(f"engine: the toy '{config.subject}' has no physics to simulate; valid: none")
    here = config.dynamics or Dynamics()
    return config.model_copy(update={"dynamics": here.model_copy(update={"engine": engine})})


def elsewhere(config: TrainConfig, target: TargetSettings) -> TrainConfig:
    """Return a run's configuration with the target's worlds for its own, and nothing that corrects for them.

    What the target leaves open is as in the run. Raises `ConfigError` for settings that the robot or toy does not have.
    """
    if config.robot is None:
        if config.toy is None or target.toy is None:
            raise ConfigError(f"reward_correction.target: the toy '{config.subject}' needs target.toy, its settings")
        toy = config.toy.model_copy(update={"settings": {**config.toy.settings, **target.toy}})
        return config.model_copy(update={"toy": toy, "reward_correction": None})
    if target.toy is not None:
        raise ConfigError(
            f"reward_correction.target.toy: '{config.robot}' is a robot; valid: {', '.join(Dynamics.model_fields)}"
        )
    here = config.dynamics or Dynamics()
    there = {name: getattr(target, name) for name in Dynamics.model_fields if name in target.model_fields_set}
    both = {
        name: {**getattr(here, name), **value} if isinstance(value, dict) else value for name, value in there.items()
    }
    return config.model_copy(update={"dynamics": here.model_copy(update=both), "reward_correction": None})
