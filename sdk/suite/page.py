"""The benchmarks page of the documentation, from the results files: what was trained first, then everything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sdk.results import Result, Row, section
from sdk.suite.definition import Benchmark, benchmark_names, find_benchmark
from sdk.suite.recorded import Outcome, belongs, table
from sdk.suite.systems import COLUMNS as COLUMNS_OF_SYSTEMS
from sdk.suite.systems import systems

HEADER = ["# Measured", "", "Generated from `benchmarks/results/` by `make docs`; do not edit.", ""]
INTERVALS = (
    "Intervals are 95 % over training seeds and held-out tasks: the root of the sum of squares of Student's t over the "
    "seeds' means and of the standard error over tasks. Every run counts at its last checkpoint."
)
SYSTEMS = (
    "Each method where it is recorded beside most others: steps of a run, and the mean return of its first attempts, "
    "or before and after its first adaptations. The gap on robots is that from `robust` to `oracle`. What is "
    "blank is not recorded."
)
ATTEMPTS = {"mean return": ("episode_", "adapted_"), "gap closed": ("gap_after_",)}
"""Tables by episode or by adaptation, and the rows that they are made of."""

COLUMNS = ("what", "source", "mean", "95 % interval", "share", "bar", "holds", "to the bar", "of a run")


def page(results: list[Result]) -> str:
    """Return the page; a benchmark of the suite is one section, however many algorithms have a file."""
    found = [find_benchmark(name) for name in benchmark_names()]
    mine = {one.name: [r for r in results if belongs(r, one)] for one in found}
    others = [result for result in results if not any(result in group for group in mine.values())]
    recorded = {name: {one.algo: one.rows for one in map(Outcome.of, group)} for name, group in mine.items()}
    lines = [*HEADER, "## All methods", "", SYSTEMS, "", *table(COLUMNS_OF_SYSTEMS, systems(recorded, results)), ""]
    if any(mine.values()):
        lines += [INTERVALS, ""]
    for one in found:
        lines += _section(one, [Outcome.of(result) for result in mine[one.name]]) if mine[one.name] else []
    return "\n".join([*lines, *(line for result in others for line in _other(result))])


def _other(result: Result) -> list[str]:
    """Return the section of a file that no benchmark of the suite wrote, with its picture where there is one."""
    title, blank, *rest = section(result)
    image = Path("images/benchmarks") / f"{result.benchmark}.png"
    picture = [f"![{result.benchmark}]({image})", ""] if (Path("docs") / image).is_file() else []
    return [title, blank, *picture, *rest]


def _section(benchmark: Benchmark, outcomes: list[Outcome]) -> list[str]:
    file = benchmark.file
    lines = [f"## {file.title}", "", f"{file.protocol.strip()} ({file.paper})", ""]
    lines += [f"![{file.title}](images/benchmarks/{benchmark.name}.png)", ""]
    lines += [*table(COLUMNS, _standings(benchmark, outcomes)), ""]
    if any(benchmark.shows_beliefs(outcome.algo) for outcome in outcomes):
        text = "What variBAD believes of the goal's place as it searches"
        lines += [f"![{text}](images/benchmarks/{benchmark.name}_beliefs.png)", ""]
    for outcome in outcomes if benchmark.shows_paths else ():
        text = f"Paths of {outcome.algo} in held-out tasks, attempt by attempt, from dark to light"
        lines += [f"![{text}](images/benchmarks/{benchmark.name}_{outcome.algo}_paths.png)", ""]
    for about, prefixes in ATTEMPTS.items():
        attempts = list(_attempts(outcomes, about, prefixes))
        lines += [*table(attempts[0], attempts[1:]), ""] if attempts else []
    for outcome in outcomes:
        result = outcome.result
        seeds = ", ".join(map(str, result.seeds))
        machine = f"{result.machine['cores']} cores ({result.machine['cpu']})"
        lines.append(f"- `{result.command}` at {result.commit}, {result.date}, seeds {seeds}, {machine}")
    return [*lines, ""]


def _standings(benchmark: Benchmark, outcomes: list[Outcome]) -> list[list[str]]:
    """Return ours, what is computed and what was published, the best first."""
    ceiling = outcomes[0].total.reference["ceiling"]
    rows = [(outcome.total.value, _ours(outcome)) for outcome in outcomes]
    beside = outcomes[0].total.reference
    for label, value in beside.items():
        if label == "ceiling" or label.startswith("seed ") or label in {outcome.algo for outcome in outcomes}:
            continue
        name, published = label.removeprefix("published: "), label.startswith("published: ")
        share = f"{value / ceiling:.1%}" if benchmark.kind == "toys" and ceiling > 0 else ""
        rows.append((value, [name, "published" if published else "computed", f"{value:.4g}", "", share, *[""] * 4]))
    return [cells for _, cells in sorted(rows, key=lambda row: -row[0])]


def _ours(outcome: Outcome) -> list[str]:
    total = outcome.total
    share = outcome.rows.get("share_of_ceiling") or outcome.rows.get("gap_closed")
    judged = [row for row in outcome.rows.values() if row.bar]
    low, high = total.ci95 or (total.value, total.value)
    return [
        f"**{outcome.algo}**",
        f"{len(outcome.result.seeds)} seeds",
        f"{total.value:.4g}",
        f"{low:.4g} to {high:.4g}",
        f"{share.value:.1%} {share.unit}" if share else "",
        ", ".join(_told(row, total) for row in judged),
        "" if not judged else "yes" if all(row.holds for row in judged) else "**no**",
        _spent(outcome, "steps_to_the_bar", "seconds_to_the_bar"),
        _spent(outcome, "steps", "seconds"),
    ]


def _told(row: Row, total: Row) -> str:
    """Return a bar, with what it is about if that is not the total."""
    about = row.name.rpartition("/")[2].replace("_", " ")
    return row.bar or "" if row is total else f"{about} {row.bar}"


def _spent(outcome: Outcome, steps: str, seconds: str) -> str:
    if steps not in outcome.rows:
        return ""
    return f"{outcome.rows[steps].value / 1e6:.3g} M steps, {outcome.rows[seconds].value:.0f} s"


def _attempts(outcomes: list[Outcome], about: str, prefixes: tuple[str, ...]) -> Iterator[list[str]]:
    """Return rows by episode or by adaptation, of our algorithms and of what they are compared with.

    The head of the table comes first; nothing where no algorithm has such rows.
    """
    parts = {o.algo: {n: row for n, row in o.rows.items() if n.startswith(prefixes)} for o in outcomes}
    parts = {algo: rows for algo, rows in parts.items() if rows}
    if not parts:
        return
    names = next(iter(parts.values()))
    yield [about, *(name.replace("_", " ") for name in names)]
    for algo, rows in parts.items():
        yield [f"**{algo}**", *(f"{row.value:.4g}" for row in rows.values())]
    first = list(names.values())
    for name in first[0].reference:
        yield [name, *(f"{row.reference[name]:.4g}" for row in first)]
