"""The training configuration: YAML defaults of the algorithm, then a user's file, then `--set` overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from domain_rand.schema import ConfigError, Schema, nearest, read_yaml
from sdk.offdynamics.settings import Dynamics, RewardCorrection
from sdk.rl.ppo import PpoConfig

CONFIGS = Path(__file__).parent / "configs"


class PolicyConfig(Schema):
    """Sizes of the networks."""

    hidden: tuple[int, ...] = (64, 64)
    memory: int = Field(default=64, ge=1, description="units of the recurrent state, where there is one")
    cell: Literal["gru", "lstm"] = Field(default="gru", description="what a recurrent state is made of")
    log_std: float = Field(default=-0.5, description="initial log spread of the actions")
    head_gain: float = Field(
        default=0.01, ge=0, description="scale of the initial output layer; near 0 a choice starts on a saddle"
    )
    informed_critic: bool = Field(
        default=True, description="whether the critic of a policy with memory sees the true context while training"
    )


class ToyConfig(Schema):
    """A family of `sdk/toys` and its settings."""

    name: str
    settings: dict[str, int | float | bool | str | None] = {}


class TrainConfig(Schema):
    """A complete training run: together with the code, it determines every number."""

    algo: str
    robot: str | None = Field(default=None, description="which robot; servo_arm where no toy is named either")
    task: str | None = Field(default=None, description="which of the robot's tasks; none: its default")
    toy: ToyConfig | None = None
    seed: int = Field(default=0, ge=0)
    steps: int = Field(default=2_000_000, ge=1, description="control steps of experience in total")
    trials: int = Field(default=64, ge=1, description="trials collected for each update")
    dynamics: Dynamics | None = Field(default=None, description="how a robot's worlds differ from those of its files")
    start_from: str | None = Field(default=None, description="run whose policy and learner this one goes on with")
    worlds: int | None = Field(default=None, ge=1, description="different worlds to train in; none: always new ones")
    workers: int = Field(default=1, ge=0, description="processes that hold the robots; 0 = this process")
    robots: int = Field(default=64, ge=1, description="robots a process simulates side by side")
    ppo: PpoConfig = PpoConfig()
    policy: PolicyConfig = PolicyConfig()
    method: dict[str, Any] = Field(default={}, validate_default=True, description="the algorithm's own settings")
    reward_correction: RewardCorrection | None = Field(default=None, description="train for other dynamics than these")

    @model_validator(mode="before")
    @classmethod
    def _default_robot(cls, data: dict[str, Any]) -> dict[str, Any]:
        nothing = data.get("robot") is None and data.get("toy") is None
        return {**data, "robot": "servo_arm"} if nothing else data

    @field_validator("toy")
    @classmethod
    def _instead_of_a_robot(cls, toy: ToyConfig | None, info: ValidationInfo) -> ToyConfig | None:
        if toy is not None and info.data.get("robot") is not None:
            raise ValueError(f"a run has a robot or a toy, and robot is '{info.data['robot']}'; leave one out")
        if toy is not None and info.data.get("task") is not None:
            raise ValueError(f"task is '{info.data['task']}', and only robots have tasks; leave it out")
        return toy

    @field_validator("dynamics")
    @classmethod
    def _of_a_robot(cls, dynamics: Dynamics | None, info: ValidationInfo) -> Dynamics | None:
        if dynamics is not None and info.data.get("robot") is None:
            raise ValueError("only robots have dynamics; a toy has its settings")
        return dynamics

    @field_validator("method")
    @classmethod
    def _known_to_the_algorithm(cls, method: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        from sdk.algos.base import find_algorithm  # which imports this module

        return find_algorithm(info.data["algo"]).settings.parse(method, "method").plain() if "algo" in info.data else {}

    @property
    def subject(self) -> str:
        """Name of the robot or toy."""
        return self.robot or (self.toy.name if self.toy else "")

    @property
    def side_by_side(self) -> int:
        """Worlds that one process advances together; toys are arrays, and do it all at once."""
        return self.robots if self.toy is None else self.trials


def resolve_config(algo: str, file: Path | None = None, overrides: list[str] | None = None) -> TrainConfig:
    """Return the configuration of a run. Raises `ConfigError` naming the wrong key and the nearest valid one."""
    settings = {} if file is None else read_yaml(file)
    return configure(algo, settings, overrides or [], str(file or CONFIGS / f"{algo}.yaml"))


def configure(algo: str, settings: Mapping[str, Any], overrides: Sequence[str] = (), source: str = "") -> TrainConfig:
    """Return an algorithm's defaults with `settings` over them, and `a.b=c` overrides over both.

    Raises `ConfigError` naming `source`, the wrong key and the nearest valid one.
    """
    default = CONFIGS / f"{algo}.yaml"
    if not default.is_file():
        raise ConfigError(f"unknown algorithm '{algo}'; {nearest(algo, [p.stem for p in CONFIGS.glob('*.yaml')])}")
    data = _merged({"algo": algo, **read_yaml(default)}, settings)
    config = TrainConfig.overridden(data, overrides, source)
    if config.algo != algo:
        raise ConfigError(f"asked to train '{algo}', but the settings say algo: {config.algo}")
    return config


def _merged(base: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result
