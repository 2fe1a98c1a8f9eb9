"""From evaluations and learning curves to measured rows, each beside what is known and what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain_rand.schema import ConfigError, nearest
from sdk.evaluate import Evaluation
from sdk.results import Row, at_least, at_most, measured
from sdk.statistics import Estimate, seeds_by_tasks_ci95
from sdk.suite.adapted import Rounds
from sdk.suite.curve import Point, first_at
from sdk.suite.definition import Benchmark, Entry
from sdk.toys.references.base import Known
from sdk.toys.references.base import known as known_of_toy


@dataclass(frozen=True)
class Trained:
    """One training run's outcome: its last checkpoint on the held-out tasks, the way there, its bundle's adaptation.

    `changed` are the evaluations where a robot was changed, by the name of the change.
    """

    seed: int
    evaluation: Evaluation
    curve: list[Point]
    rounds: Rounds | None = None
    changed: Mapping[str, Evaluation] = field(default_factory=dict)


def known(benchmark: Benchmark) -> dict[str, Known]:
    """Return what is known of a toy: ceiling and floor first, then the other references; nothing is typed in.

    Raises `ConfigError` naming the nearest strategy.
    """
    file = benchmark.file
    assert file.toy is not None
    found = known_of_toy(file.toy.name, file.toy.settings, tasks=file.reference_tasks)
    wanted = dict.fromkeys((file.ceiling, file.floor, *file.references))
    for name in wanted:
        if name not in found:
            raise ConfigError(f"benchmark {benchmark.name}: nothing is known of '{name}'; {nearest(name, list(found))}")
    return {name: found[name] for name in wanted}


def rows(benchmark: Benchmark, algo: str, runs: list[Trained], strategies: Mapping[str, Known]) -> list[Row]:
    """Return what came of an algorithm's runs, the row of the bar first."""
    file, prefix = benchmark.file, f"{benchmark.name}/{algo}"
    ceiling, floor = strategies[file.ceiling].total, strategies[file.floor].total
    total = over_seeds([run.evaluation.returns for run in runs])
    beside = {
        "ceiling": ceiling,
        **{name: strategy.total for name, strategy in strategies.items()},
        **{f"published: {label}": value for label, value in file.published.items()},
        **by_seed({run.seed: float(run.evaluation.returns.mean()) for run in runs}),
    }
    bar, name = benchmark.entry(algo).bar, f"{prefix}/total_return"
    line = bar.line(ceiling, floor) if bar else None
    return [
        at_least(name, total, file.unit, line, **beside),
        *_shares(benchmark, prefix, total, ceiling, floor),
        *(
            _episodes(benchmark, algo, runs, strategies)
            if file.adapts_every is None
            else _adaptations(prefix, runs, strategies, file.adapts_every, benchmark.entry(algo).adapted)
        ),
        *([] if file.attempts is None else [reached_row(prefix, runs, file.attempts, benchmark.entry(algo))]),
        *([] if line is None else _to_the_bar(prefix, runs, line)),
        *cost(prefix, runs),
    ]


def over_seeds(returns: Sequence[np.ndarray] | np.ndarray) -> Estimate:
    """Return the mean of returns `[seeds, tasks]` with its interval (`seeds_by_tasks_ci95`)."""
    return seeds_by_tasks_ci95(np.stack(list(returns)))


def by_seed(values: Mapping[int, float]) -> dict[str, float]:
    """Name each value after its seed."""
    return {f"seed {seed}": value for seed, value in values.items()}


def _shares(benchmark: Benchmark, prefix: str, total: Estimate, ceiling: float, floor: float) -> list[Row]:
    gap = Estimate(*((x - floor) / (ceiling - floor) for x in (total.value, total.low, total.high)))
    floors = {benchmark.file.floor: floor, benchmark.file.ceiling: ceiling}
    row = measured(f"{prefix}/gap_closed", gap, f"of {benchmark.file.floor} to {benchmark.file.ceiling}", **floors)
    if ceiling <= 0:
        return [row]
    share = Estimate(*(x / ceiling for x in (total.value, total.low, total.high)))
    return [measured(f"{prefix}/share_of_ceiling", share, f"of {benchmark.file.ceiling}", ceiling=ceiling), row]


def _episodes(benchmark: Benchmark, algo: str, runs: list[Trained], strategies: Mapping[str, Known]) -> list[Row]:
    """Return the mean return of each episode, beside what closes as much of its gap as the entry asks for."""
    episodes = min(run.evaluation.per_episode.shape[1] for run in runs)
    result, unit = [], "return of an episode"
    for k in range(episodes if episodes > 1 else 0):
        name, estimate = f"{benchmark.name}/{algo}/episode_{k + 1}", over_seeds(_of_episode(runs, k))
        beside = {who: known.per_episode[k] for who, known in strategies.items() if len(known.per_episode) == episodes}
        share = benchmark.entry(algo).episodes.get(k + 1)
        bar = None
        if share is not None:
            low, high = beside[benchmark.file.floor], beside[benchmark.file.ceiling]
            bar = low + share * (high - low)
        result.append(at_least(name, estimate, unit, bar, **beside))
    return result


def _of_episode(runs: list[Trained], k: int) -> list[np.ndarray]:
    return [run.evaluation.per_episode[:, k] for run in runs]


def _adaptations(
    prefix: str, runs: list[Trained], strategies: Mapping[str, Known], every: int, bars: Mapping[int, float]
) -> list[Row]:
    """Return the mean return of an episode before any adaptation and after each, for one every `every` episodes."""
    result = []
    for k in range(min(run.evaluation.per_episode.shape[1] for run in runs) // every):
        phase = slice(k * every, (k + 1) * every)
        estimate = over_seeds([run.evaluation.per_episode[:, phase].mean(1) for run in runs])
        beside = {name: float(np.mean(strategy.per_episode[phase])) for name, strategy in strategies.items()}
        name, unit = f"{prefix}/adapted_{k}", "return of an episode"
        result.append(at_least(name, estimate, unit, bars.get(k), **beside))
    return result


def reached_row(prefix: str, runs: list[Trained], attempts: int, entry: Entry) -> Row:
    """Return the share of tasks whose goal was reached in one of the first `attempts` episodes."""
    found = [run.evaluation.reached for run in runs]
    assert all(reached is not None for reached in found)
    share = over_seeds([reached[:, :attempts].max(1) for reached in found if reached is not None])
    name, unit = f"{prefix}/reached_within_{attempts}", "of tasks"
    if entry.reached is not None:
        return at_least(name, share, unit, entry.reached)
    return at_most(name, share, unit, entry.missed)


def _to_the_bar(prefix: str, runs: list[Trained], line: float) -> list[Row]:
    """Return how many learning curves reached the bar, and the steps and seconds that those took."""
    reached = {run.seed: point for run in runs if (point := first_at(run.curve, line))}
    result = [measured(f"{prefix}/seeds_that_reached_the_bar", len(reached), f"of {len(runs)} learning curves")]
    for key, unit in (("steps", "environment steps"), ("seconds", "s of training")):
        if reached:
            taken = {seed: float(point[key]) for seed, point in reached.items()}
            mean = float(np.mean(list(taken.values())))
            result.append(measured(f"{prefix}/{key}_to_the_bar", mean, f"{unit}, mean of these", **by_seed(taken)))
    return result


def cost(prefix: str, runs: list[Trained]) -> list[Row]:
    """Return the steps and the training time of a run, over seeds."""
    result = []
    for key, unit in (("steps", "environment steps of a run"), ("seconds", "s of training a run")):
        spent = {run.seed: float(run.curve[-1][key]) for run in runs if run.curve}
        if spent:
            result.append(measured(f"{prefix}/{key}", float(np.mean(list(spent.values()))), unit, **by_seed(spent)))
    return result
