"""The page a person reads before letting a policy near a robot: made from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain_rand.distributions import Distribution, Mixture
from domain_rand.randomizer import Entry
from export.certificate import LoopTimes
from export.manifest import Manifest


def model_card(manifest: Manifest) -> str:
    """Return the model card as Markdown."""
    sections = (
        _head,
        _contract,
        _worlds,
        _evaluation,
        _verification,
        _monitor,
        _certificate,
        _use,
        _running,
        _provenance,
    )
    return "\n\n".join(filter(None, (section(manifest) for section in sections))) + "\n"


def _head(m: Manifest) -> str:
    encoder = f", one inference every {m.encoder_every * m.control_dt:g} s" if m.encoder_every else ""
    memory = ", ".join(f"`{c.name}` {list(c.shape)}, back to its initial value every {c.reset}" for c in m.carry)
    return (
        f"# {m.algorithm} for {m.contract.robot}: {m.task}\n\n"
        f"A policy trained with **{m.algorithm}** on simulated worlds of the robot **{m.contract.robot}**, "
        f"task **{m.task}**, exported on {m.created} by {m.producer}.\n\n"
        f"Reads: {', '.join(m.step_inputs)}. Memory: {memory or 'none'}. One step every {m.control_dt:g} s{encoder}."
    )


def _contract(m: Manifest) -> str:
    action = m.contract.action
    limits = zip(m.contract.joints, m.contract.command_limits, action.rate_limit, strict=True)
    joints = [
        (joint.name, _span(*command), f"{rate:g}", _span(*joint.pos_limit), f"{joint.vel_limit:g}")
        for joint, command, rate in limits
    ]
    signals = [(s.name, str(s.size), s.unit, _span(s.low, s.high), f"{s.delay:g}") for s in m.contract.signals]
    head = ("joint", f"{action.mode} command [{action.unit}]", f"change [{action.unit}/s]", "position", "velocity")
    return (
        "## Contract\n\nCommands, with the limits that the runtime enforces:\n\n"
        + _table(head, joints)
        + "\n\nSignals, refused when outside their range:\n\n"
        + _table(("signal", "size", "unit", "range", "delay [s]"), signals)
    )


def _worlds(m: Manifest) -> str:
    rows = [(name, *_world(m.randomization.parameters[name])) for name in m.randomization.names]
    return "## Training worlds\n\n" + _table(("quantity", "what", "of", "unit", "drawn from"), rows)


def _world(entry: Entry) -> tuple[str, str, str, str]:
    relation = {"set": "", "scale": " × nominal", "add": " + nominal"}[entry.op]
    return entry.row.meaning, entry.select, entry.unit, _drawn(entry.draw) + relation


def _drawn(draw: Distribution) -> str:
    if isinstance(draw, Mixture):
        return " or ".join(map(_drawn, draw.components))
    low, high = draw.support
    return f"{draw.distribution} {_span(low, high)}"


def _evaluation(m: Manifest) -> str:
    rows = [
        (row.name, f"{row.value:.4g}", f"{row.ci95[0]:.4g} to {row.ci95[1]:.4g}" if row.ci95 else "not given", row.unit)
        for row in m.evaluation
    ]
    if not rows:
        return "## Evaluation\n\nNone was recorded: treat this policy as untested."
    return "## Evaluation\n\nIn simulation.\n\n" + _table(("measure", "value", "95 % interval", "unit"), rows)


def _verification(m: Manifest) -> str:
    p = m.parity
    return (
        "## Verification\n\nThe graph followed the trained policy within "
        f"{p.max_abs_error:.2g} (allowed: {p.tolerance:g}) "
        f"over {p.steps} closed-loop steps in {p.trials} held-out worlds and {p.episodes} episodes."
    )


def _monitor(m: Manifest) -> str:
    """What watches the policy; nothing where nothing does."""
    if m.monitor is None:
        return ""
    w = m.monitor
    return (
        f"## Monitor\n\nForetells {', '.join(w.signals)}; its score is the largest of {', '.join(w.statistics)}. "
        f"Above {w.fall_back:.3g} the policy acts without memory; above {w.stop:.3g}, or after {w.patience:g} s, the "
        f"robot is stopped. In {w.episodes} held-out episodes of the training range, "
        f"{100 * w.false_alarms:.2g} % went above."
    )


def _certificate(m: Manifest) -> str:
    """What was measured on one machine; nothing where nothing was."""
    if m.certificate is None:
        return ""
    c = m.certificate
    ticks = [
        (t.name, "paced" if t.paced else "back to back", f"{t.clean_p50:.1f}", f"{t.clean_p99:.1f}", f"{t.p99:.1f}")
        for t in c.ticks
    ]
    starts = [
        (s.name, f"{s.first_action_s:.2f}", "unknown" if s.memory_mb is None else f"{s.memory_mb:.0f}")
        for s in c.starts
    ]
    return (
        f"## Certificate\n\nMeasured on {c.date}: {c.machine.cpu}, {c.machine.cores} cores, {c.machine.system}, "
        f"onnxruntime {c.machine.onnxruntime}. The first two figures leave out ticks "
        "in which the scheduler took the processor.\n\n"
        + _table(("tick", "how", "p50 [µs]", "p99 [µs]", "p99 of all [µs]"), ticks)
        + "\n\n"
        + _table(("fresh process", "first action [s]", "memory [MB]"), starts)
        + _loop(c.loop)
    )


def _loop(loop: LoopTimes | None) -> str:
    """What the whole loop missed; nothing where it was not run."""
    if loop is None:
        return ""
    return (
        f"\n\nThe whole loop, {loop.rate:g} times a second on one core: of {loop.periods} periods {loop.skipped} were "
        f"skipped and {loop.late} got their command late, {loop.late_by_scheduler} of these by the scheduler; "
        f"p99 {loop.clean_p99:.0f} µs, without {loop.interrupted} interrupted ticks."
    )


def _use(m: Manifest) -> str:
    return (
        "## Intended use and limits\n\n"
        f"For a {m.contract.robot} that meets the contract above, doing {m.task}. Nothing is known about worlds "
        "outside the table of training worlds, nor about people or objects within reach. Simulation results do not "
        "replace a supervised first run with low limits, free space and an emergency stop at hand."
    )


def _running(m: Manifest) -> str:
    return (
        "## How to run\n\n```\nsimshift inspect BUNDLE    # what is inside\n"
        "simshift verify BUNDLE     # checksums, and the golden trace on this machine\n"
        "simshift run BUNDLE --robot udp://HOST:PORT\n```\n\n"
        '```python\nfrom export.runtime.policy import Policy\n\npolicy = Policy.load("BUNDLE")\npolicy.start_trial()\n'
        "command = policy.step(signals, episode_start=True)   # {signal: values} in, {joint: command} out\n"
        "policy.sent(command)                                 # what the driver really sent\n```"
    )


def _provenance(m: Manifest) -> str:
    rows = [("seeds", ", ".join(map(str, m.seeds)))]
    rows += [(key, str(value)) for key, value in m.provenance.items() if not isinstance(value, (dict, list))]
    return "## Provenance\n\nIn full in `manifest.yaml`.\n\n" + _table(("what", "value"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _span(low: float, high: float) -> str:
    return f"{low:g} to {high:g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
