"""A saved memory goes on as if nothing had happened, and only into the bundle it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.bundle import Bundle
from export.runtime.memory_file import restore_carry, save_carry
from export.runtime.policy import BundleError, Policy

SIGNALS = {"joint_pos": [0.4], "joint_vel": [1.0], "joint_pos_target": [0.7]}


def used(bundle: Bundle) -> Policy:
    policy = Policy(bundle)
    for _ in range(5):
        policy.step(SIGNALS)
    return policy


def test_a_restarted_policy_goes_on_with_the_same_command(bundle: Bundle, tmp_path: Path) -> None:
    first, second, blank = used(bundle), Policy(bundle), Policy(bundle)
    save_carry(first, tmp_path / "memory.npz")
    restore_carry(second, tmp_path / "memory.npz")
    first.start_trial()
    restore_carry(first, tmp_path / "memory.npz")
    assert first.step(SIGNALS) == second.step(SIGNALS) != blank.step(SIGNALS)


def test_the_memory_of_another_bundle_is_refused(bundle: Bundle, episodic: Bundle, tmp_path: Path) -> None:
    save_carry(used(bundle), tmp_path / "memory.npz")
    with pytest.raises(BundleError, match="is the memory of bundle"):
        restore_carry(Policy(episodic), tmp_path / "memory.npz")


def test_a_damaged_file_leaves_the_memory_as_it_was(bundle: Bundle, tmp_path: Path) -> None:
    policy, path = used(bundle), tmp_path / "memory.npz"
    before = policy.carry
    save_carry(policy, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BundleError, match="holds no memory"):
        restore_carry(policy, path)
    assert np.array_equal(policy.carry["memory"], before["memory"])


@pytest.mark.parametrize("memory", [{"memory": np.full((1, 16), np.nan, np.float32)}, {}, {"memory": np.zeros(3)}])
def test_a_memory_that_does_not_fit_is_refused(bundle: Bundle, memory: dict[str, np.ndarray]) -> None:
    with pytest.raises(BundleError, match="memory"):
        Policy(bundle).recall(memory)
