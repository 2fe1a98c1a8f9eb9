"""The training configuration: YAML defaults of the algorithm, then a user's file, then `--set` overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from domain_rand.schema import ConfigError, Schema, nearest, read_yaml, with_overrides
from sdk.rl.ppo import PpoConfig

CONFIGS = Path(__file__).parent / "configs"


class PolicyConfig(Schema):
    """Sizes of the networks."""

    hidden: tuple[int, ...] = (64, 64)
    memory: int = Field(default=64, ge=1, description="units of the recurrent state, where there is one")
    log_std: float = Field(default=-0.5, description="initial log spread of the actions")


class TrainConfig(Schema):
    """A complete training run: together with the code, it determines every number."""

    algo: str
    robot: str = "servo_arm"
    seed: int = Field(default=0, ge=0)
    steps: int = Field(default=2_000_000, ge=1, description="control steps of experience in total")
    trials: int = Field(default=64, ge=1, description="trials collected for each update")
    workers: int = Field(default=1, ge=0, description="processes that hold the robots; 0 = this process")
    robots: int = Field(default=64, ge=1, description="robots a process simulates side by side")
    ppo: PpoConfig = PpoConfig()
    policy: PolicyConfig = PolicyConfig()


def resolve_config(algo: str, file: Path | None = None, overrides: list[str] | None = None) -> TrainConfig:
    """Return the configuration of a run. Raises `ConfigError` naming the wrong key and the nearest valid one."""
    default = CONFIGS / f"{algo}.yaml"
    if not default.is_file():
        raise ConfigError(f"unknown algorithm '{algo}'; {nearest(algo, [p.stem for p in CONFIGS.glob('*.yaml')])}")
    data: dict[str, Any] = {"algo": algo, **read_yaml(default)}
    if file is not None:
        data = _merged(data, read_yaml(file))
    config = TrainConfig.parse(with_overrides(data, overrides or []), str(file or default))
    if config.algo != algo:
        raise ConfigError(f"asked to train '{algo}', but the settings say algo: {config.algo}")
    return config


def _merged(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result
