"""From returns to measured rows: how wide the gap is, what each arm makes of it, and what the gate would keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdk.offdynamics.benchmark.interquartile import interquartile_mean, iqm_ci95
from sdk.offdynamics.benchmark.problem import Problem
from sdk.offdynamics.gate import gate
from sdk.results import Row, at_least, measured

NARROW = 0.1
"""Share of source-only's return at home below which a gap says that the shift hardly matters here."""


@dataclass(frozen=True)
class Returns:
    """Returns `[seeds, trials]` in one target by arm, and of source-only at home; `gate` those of the gate's trials.

    `exact` holds what is computed, not trained, by name.
    """

    home: np.ndarray
    arms: Mapping[str, np.ndarray]
    gate: Mapping[str, np.ndarray]
    seeds: Sequence[int]
    exact: Mapping[str, float] = field(default_factory=dict)


def rows(problem: Problem, target: str, found: Returns) -> list[Row]:
    """Return what came of one target, the gap of source-only first."""
    prefix, file = f"{problem.name}/{target}", problem.file
    values = {arm: float(interquartile_mean(returns.mean(1))) for arm, returns in found.arms.items()}
    result = [gap_row(prefix, found, file.unit)]
    for arm, returns in found.arms.items():
        beside = {**_levels(values), **found.exact, **_by_seed(found, returns)}
        name, value = f"{prefix}/{arm}", iqm_ci95(returns)
        bar = file.targets[target].bars.get(arm)
        line = bar.line(values) if bar and bar_is_known(bar.of, values) else None
        result.append(at_least(name, value, file.unit, line, **beside))
    return [*result, *_gaps(prefix, values, found), *gate_rows(prefix, found, file.unit)]


def gap_row(prefix: str, found: Returns, unit: str) -> Row:
    """Return what source-only loses on the way from home to the target."""
    home, there = iqm_ci95(found.home), iqm_ci95(found.arms["source_only"])
    lost = home.value - there.value
    narrow = lost < NARROW * abs(home.value)
    name = f"{prefix}/source_only_loses{' (hardly: less than a tenth)' if narrow else ''}"
    return measured(name, lost, unit, home=home.value, target=there.value)


def gate_rows(prefix: str, found: Returns, unit: str) -> list[Row]:
    """Return how often the gate keeps each corrected policy, and the return of what it keeps."""
    result = []
    for arm in found.gate:
        if arm == "source_only":
            continue
        pairs = zip(found.gate[arm], found.gate["source_only"], strict=True)
        kept = [gate(corrected, uncorrected, paired=True).keep == "corrected" for corrected, uncorrected in pairs]
        either = np.where(np.array(kept)[:, None], found.arms[arm], found.arms["source_only"])
        share = float(np.mean(kept))
        result.append(measured(f"{prefix}/{arm}/gate_keeps_it", share, "share of seeds"))
        result.append(measured(f"{prefix}/{arm}/gated", iqm_ci95(either), unit, **_by_seed(found, either)))
    return result


def bar_is_known(needed: Mapping[str, float], values: Mapping[str, float]) -> bool:
    """Return whether all arms that a bar is about were run."""
    return {*needed, "source_only", "oracle"} <= {*values}


def _gaps(prefix: str, values: Mapping[str, float], found: Returns) -> list[Row]:
    if not bar_is_known({}, values):
        return []
    floor, ceiling = values["source_only"], values["oracle"]
    if ceiling - floor < NARROW * abs(float(interquartile_mean(found.home.mean(1)))):
        return []  # of nothing, everything is a large share
    others = (arm for arm in values if arm not in ("source_only", "oracle"))
    unit = "of source-only to oracle"
    return [measured(f"{prefix}/{arm}/gap_closed", (values[arm] - floor) / (ceiling - floor), unit) for arm in others]


def _levels(values: Mapping[str, float]) -> dict[str, float]:
    return {name: values[name] for name in ("source_only", "oracle") if name in values}


def _by_seed(found: Returns, returns: np.ndarray) -> dict[str, float]:
    return {f"seed {seed}": float(mean) for seed, mean in zip(found.seeds, returns.mean(1), strict=True)}
