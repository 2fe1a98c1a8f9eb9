"""Random numbers that depend on nothing but their key: equal in every process, in any order of asking."""

from __future__ import annotations

import hashlib

import numpy as np


def uniform_of(key: str) -> float:
    """Return the uniform number in [0, 1) that belongs to a key."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def keyed_uniform(seed: int, stream: str, index: int, name: str) -> float:
    """Return a uniform number in [0, 1) that depends on nothing but its key."""
    return uniform_of(f"{seed}/{stream}/{index}/{name}")


def keyed_rng(seed: int, stream: str, index: int, name: str) -> np.random.Generator:
    """Return a generator for bulk noise, keyed like `keyed_uniform`."""
    digest = hashlib.blake2b(f"{seed}/{stream}/{index}/{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))
