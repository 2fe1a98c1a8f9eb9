"""Commands about bundles: make one, look inside, sign it, check it, time it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sdk.commands.screen import Json, err, out, say, show, table

if TYPE_CHECKING:
    from export.certificate import Certificate

app = typer.Typer()

BundlePath = Annotated[Path, typer.Argument(help="Bundle: a folder or a .zip.", show_default=False)]
PublicKey = Annotated[Path | None, typer.Option(help="Refuse a bundle not signed by this key (.pub).")]


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.", show_default=False)],
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Bundle: a folder, or a .zip.")] = None,
    worlds: Annotated[int, typer.Option(min=2, help="Held-out worlds for the evaluation table.")] = 50,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    monitor: Annotated[bool, typer.Option(help="Add a monitor that notices worlds unlike training; minutes.")] = False,
    as_json: Json = False,
) -> None:
    """Export a run as a bundle, verified in closed loop against the trained policy."""
    from sdk.ship import export_run

    destination = to or run / "bundle"
    with err.status("evaluating, exporting and verifying"):
        manifest = export_run(run, destination, worlds=worlds, overwrite=overwrite)
    if monitor:
        from sdk.monitor import monitor_run

        with err.status("playing training worlds for the monitor"):
            manifest = monitor_run(run, destination)
    facts = {"bundle": str(destination), "algorithm": manifest.algorithm, "parity": manifest.parity.plain()}
    show(facts, as_json, lambda: say(f"Bundle: {destination}. Parity {manifest.parity.max_abs_error:.1e}."))


@app.command()
def verify(
    bundle: BundlePath,
    public_key: PublicKey = None,
    run: Annotated[Path | None, typer.Option(help="Also compare with this run's policy, in closed loop.")] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle: every byte against its seal, its signature, and the graph against its golden trace here."""
    from dataclasses import asdict

    from export.bundle import read_bundle
    from export.golden_adaptation import check_golden_adaptation
    from export.verify import check_golden

    checked = read_bundle(bundle, public_key)
    golden = check_golden(checked)
    signer = checked.signature.signer if checked.signature and public_key else None
    facts: dict[str, Any] = {"bundle": str(bundle), **asdict(golden), "holds": golden.holds, "signed_by": signer}
    rows = [{"check": "golden trace", **asdict(golden), "holds": golden.holds}]
    if checked.manifest.adaptation:
        adapted = check_golden_adaptation(checked)
        rows.append({"check": "golden adaptation", **asdict(adapted), "holds": adapted.holds})
        facts |= {"adaptation": asdict(adapted), "holds": golden.holds and adapted.holds}
    if run:
        from sdk.ship import parity_with_run

        with err.status("driving policy and graph side by side"):
            parity = parity_with_run(checked, run)
        rows.append({"check": f"closed loop with {run}", **_loop(parity)})
        facts |= {"closed_loop": parity.plain(), "holds": facts["holds"] and rows[-1]["holds"]}
    show(facts, as_json, lambda: _print_checks(signer, rows))
    if not facts["holds"]:
        raise typer.Exit(1)


@app.command()
def inspect(bundle: BundlePath, as_json: Json = False) -> None:
    """Show what is inside a bundle; needs neither torch nor onnx."""
    from export.bundle import read_bundle
    from export.inspection import inspect as inspect_

    facts = inspect_(read_bundle(bundle))
    show(facts, as_json, lambda: _print_inside(facts))


@app.command()
def keygen(
    key: Annotated[Path, typer.Argument(help="Private key to write; the public one goes beside it, .pub.")] = Path(
        "simshift.key"
    ),
    as_json: Json = False,
) -> None:
    """Make a key pair for signing bundles."""
    from export.signing import make_keys

    public, digits = make_keys(key)
    facts = {"private": str(key), "public": str(public), "key": digits}
    show(facts, as_json, lambda: say(f"Private key: {key}; keep it. Public key: {public} ({digits}); give it away."))


@app.command()
def sign(
    bundle: BundlePath,
    key: Annotated[Path, typer.Option(help="Private key, as keygen wrote it.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Sign a bundle, in place of any signature it has."""
    from export.bundle import sign_bundle

    signer = sign_bundle(bundle, key).signer
    show({"bundle": str(bundle), "signed_by": signer}, as_json, lambda: say(f"Signed: {bundle}, by {signer}."))


@app.command()
def bench(
    bundle: BundlePath,
    ticks: Annotated[int, typer.Option(min=50, help="Ticks back to back, of each kind.")] = 5000,
    paced_ticks: Annotated[int, typer.Option(min=50, help="Ticks at the control rate, of each kind.")] = 500,
    loop_seconds: Annotated[float, typer.Option(min=0, help="How long the whole loop runs at 500 Hz; 0: not.")] = 60.0,
    certify: Annotated[bool, typer.Option("--certify", help="Write the figures into the bundle; sign after.")] = False,
    as_json: Json = False,
) -> None:
    """Time a bundle on this machine beside an identity graph, NumPy and torch; its start; deadlines of the loop."""
    from export.bundle import read_bundle
    from export.certify import certify as certify_
    from export.certify import measure_certificate

    with err.status("timing"):
        counts = {"ticks": ticks, "paced_ticks": paced_ticks}
        certificate, absent = measure_certificate(bundle, **counts, loop_seconds=loop_seconds)
    signed = read_bundle(bundle).signature is not None
    if certify:
        certify_(bundle, certificate)
    facts = {"bundle": str(bundle), "certified": certify, **certificate.plain(), "absent": absent}
    show(facts, as_json, lambda: _print_bench(certificate, absent))
    if certify and signed:
        err.print(f"{bundle} is another bundle now and no longer signed: sign it again", highlight=False)


def _print_checks(signer: str | None, rows: list[dict[str, Any]]) -> None:
    say(f"signed by {signer}" if signer else "signature not checked: give --public-key")
    table("checks", rows)


def _loop(parity: Any) -> dict[str, Any]:
    return {
        "max_abs_error": parity.max_abs_error,
        "steps": parity.steps,
        "tolerance": parity.tolerance,
        "holds": parity.max_abs_error <= parity.tolerance,
    }


def _print_inside(facts: dict[str, Any]) -> None:
    say(f"{facts['algorithm']} for {facts['robot']}: {facts['task']}; {facts['producer']}, {facts['created']}")
    say(f"one step every {facts['control_dt']:g} s; reads {', '.join(facts['reads'])}")
    say(f"contract {facts['contract']}")
    say(f"signed by {facts['signed_by']} (not checked)" if facts["signed_by"] else "not signed")
    shown = ("name", "low", "high", "unit", "rate_limit", "pos_limit", "vel_limit")
    table("joints", [{key: joint[key] for key in shown} for joint in facts["joints"]])
    table("signals", [{key: s.get(key) for key in ("name", "size", "unit", "low", "high")} for s in facts["signals"]])
    for title in ("carry", "evaluation", "files"):
        table(title, facts[title]) if facts[title] else say(f"{title}: none")
    table("parity in closed loop", [facts["parity"]])
    graphs = [{"graph": name, **graph} for name, graph in facts["graphs"].items()]
    table("graphs", [{key: value for key, value in graph.items() if key != "says"} for graph in graphs])
    if facts["certificate"]:
        from export.certificate import Certificate

        _print_bench(Certificate.parse(facts["certificate"]), {})


def _print_bench(certificate: Certificate, absent: dict[str, str]) -> None:
    machine = certificate.machine
    title = f"ticks [µs] on {machine.cpu}, {certificate.date}; clean: without those the scheduler interrupted"
    table(title, [tick.plain() for tick in certificate.ticks])
    table("from nothing to the first action", [start.plain() for start in certificate.starts])
    if certificate.loop is not None:
        table("the whole loop on one core: deadlines, and times [µs]", [certificate.loop.plain()])
    for name, reason in absent.items():
        out.print(f"absent: {name}: {reason}", highlight=False)
