"""What a problem of the benchmark is: one YAML file with its source, its targets, a budget and the arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from domain_rand.schema import ConfigError, Schema, nearest
from sdk.config import CONFIGS, ToyConfig, TrainConfig, configure
from sdk.offdynamics.benchmark.arms import Budget, Plan, plan_of
from sdk.offdynamics.dynamics import elsewhere
from sdk.offdynamics.settings import Dynamics, TargetSettings

FILES = CONFIGS / "benchmarks" / "off_dynamics"
GROUP = "off-dynamics"


class Bar(Schema):
    """The least return of an arm in a target."""

    gap: float | None = Field(default=None, description="share of the way from source-only to the oracle")
    loses: float | None = Field(default=None, ge=0, description="share of source-only's return, at most")
    of: dict[str, float] = Field(default={}, description="other arms, and the share of each one's return")

    @model_validator(mode="after")
    def _one_of_them(self) -> Bar:
        if sum((self.gap is not None, self.loses is not None, bool(self.of))) != 1:
            raise ValueError("a bar is one of gap, loses and of")
        return self

    def line(self, found: Mapping[str, float]) -> float:
        """Return the bar as a return, given those of all arms."""
        floor = found["source_only"]
        if self.gap is not None:
            return floor + self.gap * (found["oracle"] - floor)
        if self.loses is not None:
            return floor - self.loses * abs(floor)
        return max(share * found[arm] for arm, share in self.of.items())


class Entry(Schema):
    """An arm in a problem: which one, if not that of its name, and in what it departs from the problem's settings."""

    arm: str | None = None
    settings: dict[str, Any] = {}
    correction: dict[str, Any] = {}


class TargetWorlds(Schema):
    """One target: in which way its worlds differ from the source's, and the bars of arms there."""

    title: str
    worlds: TargetSettings
    bars: dict[str, Bar] = {}


class ProblemFile(Schema):
    """One problem. Every arm is trained for every target; those that see only the source, once."""

    title: str
    protocol: str
    algo: str = "sac"
    toy: ToyConfig | None = None
    robot: str | None = None
    task: str | None = None
    dynamics: Dynamics | None = None
    targets: dict[str, TargetWorlds] = Field(min_length=1)
    steps: int = Field(ge=1)
    target_steps: int = Field(ge=1)
    settings: dict[str, Any] = Field(default={}, description="keys of a training configuration, for all arms")
    correction: dict[str, Any] = Field(default={}, description="keys of reward_correction, where an arm has one")
    arms: dict[str, Entry]
    unit: str = "return of a trial"
    tasks: int = Field(default=100, ge=2, description="held-out trials in each target")
    gate_trials: int = Field(default=20, ge=2, description="trials in the target that the gate decides on")

    @model_validator(mode="after")
    def _whole(self) -> ProblemFile:
        for needed in ("source_only", "oracle"):
            if needed not in self.arms:
                raise ValueError(f"arms: '{needed}' is missing, and every comparison needs it")
        for target, worlds in self.targets.items():
            for name in {*worlds.bars, *(arm for bar in worlds.bars.values() for arm in bar.of)} - {*self.arms}:
                raise ValueError(f"targets.{target}.bars: there is no arm '{name}'; {nearest(name, tuple(self.arms))}")
        return self


@dataclass(frozen=True)
class Run:
    """One training run: its folder under that of the problem, and its configuration."""

    place: str
    config: TrainConfig


@dataclass(frozen=True)
class Problem:
    """A problem and its file's name; `steps` in place of the file's scales both budgets.

    `path` is that of a file of one's own.
    """

    name: str
    file: ProblemFile
    steps: int | None = None
    path: str | None = None

    @property
    def asked(self) -> str:
        """How it is asked for."""
        return f"{GROUP}/{self.path or self.name}"

    @property
    def budget(self) -> Budget:
        """Control steps of either domain."""
        steps = self.steps or self.file.steps
        return Budget(steps, max(1, round(self.file.target_steps * steps / self.file.steps)))

    def plan(self, entry: str) -> Plan:
        """Return what an arm does. Raises `ConfigError` naming the nearest one."""
        own = self.file.arms.get(entry, Entry())
        return plan_of(own.arm or entry, self.budget)

    def source(self, seed: int) -> TrainConfig:
        """Return the configuration of a run in the source."""
        file = self.file
        subject = {"toy": file.toy.plain()} if file.toy else {"robot": file.robot, "task": file.task}
        dynamics = {"dynamics": file.dynamics.plain()} if file.dynamics else {}
        settings = {**subject, **dynamics, **file.settings, "steps": self.budget.steps, "seed": seed}
        return configure(file.algo, settings, source=f"problem {self.name}")

    def there(self, target: str, seed: int = 0) -> TrainConfig:
        """Return the configuration of a run in a target."""
        return elsewhere(self.source(seed), self.file.targets[target].worlds)

    def run(self, entry: str, target: str, seed: int, folder: Path) -> Run:
        """Return an arm's run for a target, `folder` being the problem's. Raises `ConfigError` naming a wrong key."""
        plan, own = self.plan(entry), self.file.arms.get(entry, Entry())
        base = self.source(seed) if plan.where == "source" else self.there(target, seed)
        data = _over(_over(base.plain(), plan.settings), own.settings)
        data["steps"] = plan.steps
        if plan.correction is not None:
            data["reward_correction"] = self._correction(target, {**plan.correction, **own.correction})
        if plan.after is not None:
            data["start_from"] = str(folder / self.run(plan.after, target, seed, folder).place)
        seen = plan.where == "target" or plan.correction is not None
        place = f"{target if seen else 'source'}/{entry}/seed_{seed}"
        return Run(place, TrainConfig.parse(data, f"problem {self.name}, {entry}"))

    def _correction(self, target: str, settings: dict[str, Any]) -> dict[str, Any]:
        worlds = self.file.targets[target].worlds.model_dump(exclude_unset=True)
        share = min(1.0, self.budget.target_steps / self.budget.steps)
        return {**self.file.correction, **settings, "target": {"share": share, **worlds}}


def problem_names() -> list[str]:
    """Names of all problems that are trained: the files of the folder."""
    return sorted(path.stem for path in FILES.glob("*.yaml"))


def find_problems(name: str, steps: int | None = None) -> list[Problem]:
    """Return all problems for "off-dynamics", one for "off-dynamics/NAME", or that of a file of one's own.

    A file is a path ending in .yaml, after "off-dynamics/". Raises `ConfigError` naming the nearest, or the wrong key.
    """
    wanted = name.removeprefix(GROUP).removeprefix("/")
    if wanted.endswith(".yaml"):
        return [Problem(Path(wanted).stem, ProblemFile.load(wanted), steps, wanted)]
    if wanted and wanted not in problem_names():
        raise ConfigError(f"unknown problem '{wanted}'; {nearest(wanted, problem_names())}")
    names = [wanted] if wanted else problem_names()
    return [Problem(one, ProblemFile.load(FILES / f"{one}.yaml"), steps) for one in names]


def _over(base: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _over(result[key], value) if both else value
    return result
