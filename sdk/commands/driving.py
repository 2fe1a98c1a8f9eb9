"""Commands that drive a robot, or stand in for one."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from robots.model import Engine
from sdk.commands.bundles import BundlePath, PublicKey
from sdk.commands.screen import Json, Seed, show, table

app = typer.Typer()

Effect = Annotated[str, typer.Option(help="Unmodelled effect: none, cable, cogging, bumper, or several joined by '+'.")]
WhichEngine = Annotated[Engine | None, typer.Option("--engine", help="What simulates the robot; default: its own.")]


@app.command()
def run(
    bundle: BundlePath,
    robot: Annotated[str, typer.Option(help="How to reach the robot: udp://HOST:PORT, or sim://NAME.")],
    public_key: PublicKey = None,
    record: Annotated[Path | None, typer.Option(help="Write every tick to this .npz or .mcap.")] = None,
    safety: Annotated[Path | None, typer.Option(help="YAML file over the supervisor's defaults.")] = None,
    monitor: Annotated[bool, typer.Option(help="Let the bundle's monitor, if any, fall back and stop.")] = True,
    trials: Annotated[int | None, typer.Option(min=1, help="Stop after so many trials.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Stop after this time, in s.")] = None,
    as_json: Json = False,
) -> None:
    """Drive a robot with a bundle, adapting as it goes. Needs neither torch nor a simulator."""
    from contextlib import nullcontext

    from export.runtime.loop import run_loop
    from export.runtime.policy import Policy
    from export.runtime.recorder import Recorder, bundle_fingerprint
    from robots.drivers.base import open_driver

    policy = Policy.load(bundle, public_key)
    driver = open_driver(robot, policy.contract)
    try:
        supervisor = _supervisor(policy, driver.connect().pace, safety, monitor)
        fingerprint = bundle_fingerprint(policy.manifest)
        with Recorder(record, policy.contract, fingerprint) if record else nullcontext() as recorder:
            report = run_loop(
                policy, driver, trials=trials, max_seconds=max_seconds, supervisor=supervisor, recorder=recorder
            )
    finally:
        driver.close()
    facts = report.plain() | ({"recording": recorder.summary.plain()} if recorder else {})
    show(facts, as_json, lambda: _print(facts))
    if not report.completed or (recorder and recorder.summary.error):
        raise typer.Exit(1)


@app.command()
def twin(
    robot: Annotated[str, typer.Argument(help="Which robot to stand in for.")] = "servo_arm",
    port: Annotated[int, typer.Option(help="UDP port on 127.0.0.1; 0 = any free one.")] = 0,
    worlds: Annotated[int, typer.Option(min=1, help="Held-out worlds to play, one trial each.")] = 1,
    first_world: Annotated[int, typer.Option(min=0, help="Index of the first.")] = 0,
    seed: Seed = 0,
    effect: Effect = "cable+cogging",
    task: Annotated[str | None, typer.Option(help="Which of the robot's tasks; default: its own.")] = None,
    engine: WhichEngine = None,
    pace: Annotated[str, typer.Option(help="realtime, or lockstep: wait for each command.")] = "realtime",
    faults: Annotated[Path | None, typer.Option(help="YAML file of what goes wrong: line, sensors, machine.")] = None,
    as_json: Json = False,
) -> None:
    """Run a simulated robot as hardware would be: a process of its own behind UDP, which alone keeps the score."""
    from robots.twin.faults import Faults
    from robots.twin.server import TwinSettings, serve

    wrong = Faults.load(faults) if faults else Faults()
    where, which = (
        {"robot": robot, "engine": engine, "port": port},
        {"worlds": worlds, "first_world": first_world, "seed": seed},
    )
    settings = TwinSettings.parse(
        {**where, **which, "effect": effect, "task": task, "pace": pace, "faults": wrong}, "twin"
    )
    signal.signal(signal.SIGTERM, _as_interrupt)  # its score is kept, as after Ctrl-C
    score = serve(settings, lambda bound: _announce(f"udp://{settings.host}:{bound}")).plain()
    show(score, as_json, lambda: _print_score(score))


def _supervisor(policy: Any, pace: str, safety: Path | None, monitor: bool) -> Any:
    from domain_rand.schema import read_yaml
    from export.runtime.monitor import open_monitor
    from export.runtime.supervisor import Supervisor
    from export.runtime.supervisor_config import SupervisorConfig

    overrides = read_yaml(safety) if safety else {}
    config = SupervisorConfig.of(policy.contract, pace, overrides, str(safety or "safety"))
    supervisor = Supervisor(policy.contract, config, open_monitor(policy) if monitor else None)
    supervisor.arm("armed by simshift run")
    return supervisor


def _print(facts: dict[str, Any]) -> None:
    table("run", [{key: value for key, value in facts.items() if not isinstance(value, dict | list)}])
    table("supervisor", facts["states"])
    if "recording" in facts:
        table("recording", [facts["recording"]])


def _print_score(score: dict[str, Any]) -> None:
    table("score", [{key: value for key, value in world.items() if key != "per_slot"} for world in score["worlds"]])
    table("line", [{"direction": direction, **count} for direction, count in score["line"].items()])


def _announce(url: str) -> None:
    print(json.dumps({"ready": url}), flush=True, file=sys.stderr)


def _as_interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
