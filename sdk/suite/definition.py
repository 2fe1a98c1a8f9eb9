"""What a benchmark is: one YAML file in `sdk/configs/benchmarks/` with its subject, its protocol and its bars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from domain_rand.schema import ConfigError, Schema, nearest
from robots.twin.faults import Change, Switch
from sdk.config import CONFIGS, ToyConfig, TrainConfig, configure

FILES = CONFIGS / "benchmarks"

PLANES_WITH_FEW_GOALS = ("corner",)


class Bar(Schema):
    """The least mean return of a trial: as it is, or beside what the best and the simple strategies reach."""

    value: float | None = Field(default=None, description="as it is")
    share: float | None = Field(default=None, description="of the ceiling")
    gap: float | None = Field(default=None, description="of the way from the floor to the ceiling")
    success: float | None = Field(default=None, description="of a robot's episodes end on target, instead of a return")

    @model_validator(mode="after")
    def _one_of_them(self) -> Bar:
        if sum(x is not None for x in (self.value, self.share, self.gap, self.success)) != 1:
            raise ValueError("a bar is one of value, share, gap and success")
        return self

    def line(self, ceiling: float, floor: float) -> float:
        """Return the bar as a return."""
        if self.value is not None:
            return self.value
        return self.share * ceiling if self.share is not None else floor + (self.gap or 0) * (ceiling - floor)


class Entry(Schema):
    """An algorithm in a benchmark: its bar, and the keys of a training configuration that differ from its defaults."""

    algo: str | None = Field(default=None, description="the algorithm, where the entry goes by another name")
    bar: Bar | None = None
    adapted: dict[int, float] = Field(
        default={}, description="least return of an episode after so many adaptations; of a robot, least gap closed"
    )
    reached: float | None = Field(default=None, description="least share of tasks that reach their goal in `attempts`")
    visits: float | None = Field(default=None, description="least share of places with goals visited before adapting")
    missed: float | None = Field(default=None, description="largest share: who does not explore must not get there")
    episodes: dict[int, float] = Field(default={}, description="least share of the gap an episode of a toy closes")
    fewer_steps: dict[str, float] = Field(
        default={}, description="least ratio of the steps that another algorithm takes to the bar, which is this one's"
    )
    toy: dict[str, Any] = Field(default={}, description="settings of the toy for this algorithm, beside the file's")
    steps: int | None = None
    trials: int | None = None
    worlds: int | None = None
    workers: int | None = None
    robots: int | None = None
    ppo: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    method: dict[str, Any] = {}

    def settings(self) -> dict[str, Any]:
        """Return what the file says, of what `simshift train --config` takes; the toy is the file's."""
        own = {"algo", "bar", "adapted", "reached", "visits", "missed", "episodes", "fewer_steps", "toy"}
        return self.model_dump(exclude_unset=True, exclude=own)


class CurveSettings(Schema):
    """How a run is watched while it trains."""

    tasks: int = Field(default=2000, ge=2, description="held-out tasks, the same each time")
    points: int = Field(default=40, ge=1, description="evaluations in a run, evenly spaced")


class BenchmarkFile(Schema):
    """One benchmark. `ceiling`, `floor` and `references` name strategies of `sdk.toys.references`, or arms."""

    title: str
    paper: str
    protocol: str
    toy: ToyConfig | None = None
    robot: str | None = None
    task: str | None = None
    played_task: str | None = Field(
        default=None, description="the task that a robot's arms are judged by, where training pays otherwise"
    )
    effect: str = Field(default="none", description="unmodelled effect in the robot's held-out worlds")
    unit: str = "return of a trial"
    tasks: int = Field(default=20_000, ge=2, description="held-out tasks for each training seed, the same for all")
    adapts_every: int | None = Field(default=None, ge=1, description="episodes between adaptations, reported as one")
    near: float | None = Field(
        default=None, gt=0, description="how near a place with goals counts as visited, before the first adaptation"
    )
    attempts: int | None = Field(default=None, ge=1, description="episodes within which a goal counts as reached")
    ceiling: str
    floor: str = "random"
    references: tuple[str, ...] = ()
    reference_tasks: int = Field(default=20_000, ge=2, description="tasks that sampled strategies are played on")
    published: dict[str, float] = {}
    curve: CurveSettings = CurveSettings()
    beyond: dict[str, Change] = Field(default={}, description="robot's worlds outside of training, one change each")
    switch: dict[str, Switch] = Field(default={}, description="what happens to the robot in the middle of a trial")
    changed_tasks: int = Field(default=50, ge=2, description="held-out tasks of each change and each switch")
    algorithms: dict[str, Entry]

    @model_validator(mode="after")
    def _one_subject(self) -> BenchmarkFile:
        if (self.toy is None) == (self.robot is None):
            raise ValueError("a benchmark is about a toy or a robot")
        bars = [entry.bar for entry in self.algorithms.values() if entry.bar]
        if self.robot and any(bar.gap is None and bar.success is None for bar in bars):
            raise ValueError("the bar of a robot's arm is a gap or a success: ceiling and floor are arms themselves")
        if self.toy and any(bar.success is not None for bar in bars):
            raise ValueError("the bar of a toy is a return, not a success")
        if self.near and (self.toy is None or self.toy.name not in PLANES_WITH_FEW_GOALS):
            raise ValueError(f"near counts visits where goals are few: the toys {', '.join(PLANES_WITH_FEW_GOALS)}")
        if any(entry.episodes for entry in self.algorithms.values()) and (self.robot or self.adapts_every):
            raise ValueError("bars of episodes are a toy's, where nothing is reported by adaptation instead")
        for entry in self.algorithms.values():
            others = [self.algorithms.get(name) for name in entry.fewer_steps]
            if any(self.robot or other is None or other.bar is None or other.bar != entry.bar for other in others):
                raise ValueError("fewer_steps names algorithms of a toy that have the same bar")
        if self.toy and (self.beyond or self.switch or self.played_task):
            raise ValueError("beyond, switch and played_task change a robot; a toy has settings of its own")
        return self

    @property
    def changes(self) -> dict[str, Switch]:
        """Both kinds, by what their rows begin with; worlds outside of training are so from the start."""
        beyond = {f"beyond/{name}": Switch(at=0.0, **change.plain()) for name, change in self.beyond.items()}
        return {**beyond, **{f"switch/{name}": switch for name, switch in self.switch.items()}}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, its file's name, and how it was asked for: by that name, or by a path."""

    name: str
    file: BenchmarkFile
    asked: str

    @property
    def kind(self) -> Literal["toys", "robots"]:
        """The group that `simshift benchmark` knows it under."""
        return "toys" if self.file.toy else "robots"

    def result_name(self, algo: str) -> str:
        """Return the name of an algorithm's results file."""
        return f"{self.kind}_{self.name}_{algo}"

    def shows_beliefs(self, algo: str) -> bool:
        """Return whether an algorithm's belief about the task can be drawn here: variBAD's, of GridNavi's goal."""
        return algo == "varibad" and self.file.toy is not None and self.file.toy.name == "gridnavi"

    @property
    def shows_paths(self) -> bool:
        """Return whether trials can be drawn here as paths: those in the plane."""
        return self.file.toy is not None and self.file.toy.name in ("corner", "navigation", "point_robot", "wind")

    def entry(self, algo: str) -> Entry:
        """Return an algorithm's bar and settings; raises `ConfigError` naming the nearest one."""
        if algo not in self.file.algorithms:
            raise ConfigError(f"{self.name} has no '{algo}'; {nearest(algo, tuple(self.file.algorithms))}")
        return self.file.algorithms[algo]

    def config(self, algo: str, seed: int, steps: int | None = None) -> TrainConfig:
        """Return the training configuration of one run; raises `ConfigError` naming the wrong key."""
        entry, budget = self.entry(algo), {} if steps is None else {"steps": steps}
        settings = {**entry.settings(), **self._subject(entry), **budget, "seed": seed}
        return configure(entry.algo or algo, settings, source=f"benchmark {self.name}, {algo}")

    def _subject(self, entry: Entry) -> dict[str, Any]:
        if self.file.toy is None:
            return {"robot": self.file.robot, "task": self.file.task}
        toy = self.file.toy.plain()
        return {"toy": {**toy, "settings": {**toy["settings"], **entry.toy}}}


def benchmark_names() -> list[str]:
    """Names of all benchmarks: the files of the folder."""
    return sorted(path.stem for path in FILES.glob("*.yaml"))


def find_benchmark(name: str) -> Benchmark:
    """Read a benchmark by its name, or from a file of one's own (a path ending in .yaml).

    Raises `ConfigError` naming the nearest one, or the wrong key.
    """
    if name.endswith(".yaml"):
        return Benchmark(Path(name).stem, BenchmarkFile.load(name), name)
    if name not in benchmark_names():
        raise ConfigError(
            f"unknown benchmark '{name}'; {nearest(name, ['toys', 'robots', 'off-dynamics', *benchmark_names()])}"
        )
    return Benchmark(name, BenchmarkFile.load(FILES / f"{name}.yaml"), name)


def find_benchmarks(name: str) -> list[Benchmark]:
    """Return one benchmark, or all of a group: "toys" or "robots"."""
    if name not in ("toys", "robots"):
        return [find_benchmark(name)]
    return [found for found in map(find_benchmark, benchmark_names()) if found.kind == name]
