"""What a narrowing loop is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from domain_rand.schema import ConfigError, Schema
from robots.spec import load_robot
from sdk.checkpoint import write_atomic
from sdk.identify.settings import Settings


class NarrowSettings(Schema):
    """Together with the code, these determine every number, unless the twin keeps real time.

    `episodes` is the budget of the target machine: every visit costs one trial of the task.
    """

    robot: str = "servo_arm"
    task: str | None = None
    algo: str = "rl2"
    episodes: int = Field(default=9, ge=1, description="episodes that the target machine may be asked for in all")
    target_seed: int = Field(default=0, ge=0, description="which held-out world the twin stands for")
    effect: str = "none"
    realtime: bool = Field(default=False, description="visit at the control rate; otherwise the twin waits")
    worst: float = Field(default=1.0, gt=0, le=1, description="EPOpt's ε: share of the trials learnt from, the worst")
    train: tuple[str, ...] = Field(default=(), description="overrides of the first training, such as steps=100000")
    again: tuple[str, ...] = Field(default=(), description="further overrides of the trainings after it")
    export_worlds: int = Field(default=20, ge=2, description="held-out worlds that each bundle is evaluated in")
    identify: Settings = Settings()
    seed: int = Field(default=0, ge=0)

    @property
    def visits(self) -> int:
        """Return how often the machine is visited. Raises `ConfigError` where the budget allows no trial."""
        each = load_robot(self.robot, self.task)[0].task.episodes
        if self.episodes < each:
            raise ConfigError(f"episodes = {self.episodes}; a visit takes a trial, and {self.robot}'s has {each}")
        return self.episodes // each

    def overrides(self, number: int, robot: str, before: str | None) -> list[str]:
        """Return the overrides of a round's training, from 1, on these worlds, going on with the run `before`."""
        fixed = [f"robot={robot}", f"seed={self.seed}", f"ppo.worst={self.worst}"]
        fixed += [] if self.task is None else [f"task={self.task}"]
        return [*fixed, *self.train, *([] if before is None else [f"start_from={before}", *self.again])]


def keep(settings: Schema, folder: Path, what: str) -> None:
    """Write the settings of `what` into its folder; raises `ConfigError` where others are kept already."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "settings.yaml"
    if kept.is_file() and type(settings).load(kept) != settings:
        raise ConfigError(f"{folder} holds a {what} with other settings; choose another folder with --to")
    write_atomic(kept, settings.to_yaml().encode())
