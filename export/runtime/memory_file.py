"""A policy's memory in a file, so that a restarted process goes on with what it had learned of its robot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from export.runtime.policy import BundleError, Policy
from export.runtime.recorder import bundle_fingerprint

FINGERPRINT = "bundle_sha256"


def save_carry(policy: Policy, path: str | Path) -> None:
    """Write the memory as .npz, with the fingerprint of the policy's bundle; a crash leaves the old file or the new."""
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **{FINGERPRINT: bundle_fingerprint(policy.manifest)}, **policy.carry)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def restore_carry(policy: Policy, path: str | Path) -> None:
    """Put a saved memory back; call it after `start_trial`, which blanks the memory.

    Raises `BundleError`, with the memory as it was, for a file that is damaged or of another bundle.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            saved = {name: file[name] for name in file.files}
        found = str(saved.pop(FINGERPRINT))
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise BundleError(f"{path} holds no memory of a policy ({error}); start without it") from None
    expected = bundle_fingerprint(policy.manifest)
    if found != expected:
        raise BundleError(f"{path} is the memory of bundle {found[:12]}…, this is {expected[:12]}…; start without it")
    policy.recall(saved)
