"""Measure what a bundle needs on this machine, and write that into the bundle."""

from __future__ import annotations

import datetime
from pathlib import Path

from export.bundle import MODEL_CARD, Bundle, read_bundle, write_bundle
from export.certificate import Certificate, ColdStart, this_machine
from export.cold_start import KINDS, cold_start
from export.control_loop import deadlines
from export.latency import measure, peer_ticks
from export.model_card import model_card

LOOP_RATE = 500.0
"""How often the whole loop runs [Hz]: faster than most robots' policies."""


def measure_certificate(
    path: Path, *, ticks: int = 500, paced_ticks: int = 200, loop_seconds: float = 0.0
) -> tuple[Certificate, dict[str, str]]:
    """Time ticks and cold starts of a bundle beside those of its peers, and the whole loop for so long.

    Also returns which peers are absent, and why.
    """
    bundle = read_bundle(path)
    peers, absent = peer_ticks(bundle)
    times = measure(bundle, ticks=ticks, paced_ticks=paced_ticks, peers=peers)
    starts: list[ColdStart] = []
    for kind in KINDS:
        try:
            starts.append(cold_start(kind, path))
        except RuntimeError as error:
            absent[f"cold start of {kind}"] = str(error)
    loop = deadlines(bundle, loop_seconds, LOOP_RATE) if loop_seconds else None
    today, machine = datetime.date.today(), this_machine()
    return Certificate(date=today, machine=machine, ticks=tuple(times), starts=tuple(starts), loop=loop), absent


def certify(path: Path, certificate: Certificate) -> Bundle:
    """Write a certificate into a bundle's manifest and model card and seal it anew; its signature, if any, is gone."""
    bundle = read_bundle(path)
    manifest = bundle.manifest.model_copy(update={"certificate": certificate})
    files = {**bundle.files, MODEL_CARD: model_card(manifest).encode()}
    return write_bundle(path, manifest, files, overwrite=True)
