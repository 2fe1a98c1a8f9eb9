r"""Goals beyond those of training: who goes on improving with more adaptation, and who stops.

    python -m benchmarks.beyond maml=RUN maml=RUN reptile=RUN rl2=RUN … [--rounds 10] [--episodes 20] [--tasks 500]

Runs on 2-D navigation: those that adapt by gradient, and any of those that remember or infer. A name given again is
another seed. The recorded ones are of `simshift benchmark navigation_gradient`, and of

    simshift train task_inference --set toy.name=navigation --set steps=1000000 --set trials=128 --set workers=0 \
        --set ppo.bptt=1 --set ppo.lr=0.002 --set ppo.gamma=0.97 --set ppo.gae_lambda=0.95 \
        --set ppo.entropy_weight=0.003 --set ppo.minibatches=8 --set ppo.trial_end=terminal \
        --set policy.head_gain=1.0 --set method.lr=0.003 --set method.updates=16

Writes `benchmarks/results/beyond.json` and `docs/images/benchmarks/beyond.png`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sdk.results import Row, measured, write_result
from sdk.suite.beyond import Course, course, draw_courses
from sdk.suite.pictures import IMAGES
from sdk.toys.references.base import known

TASKS = {"goals as in training": False, "goals beyond": True}
SHOWN = ("oracle", "goal_blind")


def rows(panels: dict[str, dict[str, Course]], levels: dict[str, dict[str, float]]) -> list[Row]:
    """Return what each run earns first, after its first adaptation or episode, and last, beside what is computed."""
    result = []
    for title, runs in panels.items():
        where = "beyond" if TASKS[title] else "inside"
        for name, one in runs.items():
            for k in sorted({0, 1, len(one.experience) - 1}):
                unit = f"return of an episode after {one.experience[k]}"
                result.append(measured(f"{where}/{name}/step_{k}", one.returns[k], unit, **levels[title]))
    return result


def levels_of(beyond: bool) -> dict[str, float]:
    """Return what the oracle, and whoever is blind to the goal, earn in an episode."""
    found = known("navigation", {"episodes": 1, "beyond": beyond}, tasks=5000)
    return {name: found[name].total for name in SHOWN}


def by_name(runs: list[str]) -> dict[str, list[Path]]:
    """Return the folders of each name, from `name=folder` of each run."""
    folders: dict[str, list[Path]] = {}
    for name, _, folder in (run.partition("=") for run in runs):
        folders.setdefault(name, []).append(Path(folder))
    return folders


def main() -> None:
    """Play, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="name=folder of a run")
    parser.add_argument("--rounds", type=int, default=10, help="of adaptation by gradient")
    parser.add_argument("--episodes", type=int, default=20, help="of what remembers or infers")
    parser.add_argument("--tasks", type=int, default=500)
    given = parser.parse_args()
    start, size = time.monotonic(), {"rounds": given.rounds, "episodes": given.episodes, "tasks": given.tasks}
    folders = by_name(given.runs)
    panels = {
        title: {name: course(runs, {"beyond": beyond}, **size) for name, runs in folders.items()}
        for title, beyond in TASKS.items()
    }
    levels = {title: levels_of(beyond) for title, beyond in TASKS.items()}
    draw_courses(IMAGES / "beyond.png", panels, levels)
    sizes = " ".join(f"--{name} {number}" for name, number in size.items())
    command = f"python -m benchmarks.beyond {' '.join(given.runs)} {sizes}"
    seeds = list(range(max(map(len, folders.values()))))
    print(write_result("beyond", command, seeds, time.monotonic() - start, rows(panels, levels)))


if __name__ == "__main__":
    main()
