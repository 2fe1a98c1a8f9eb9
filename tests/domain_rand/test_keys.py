from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from domain_rand.keys import keyed_rng, keyed_uniform

ROOT = Path(__file__).parents[2]


def test_equal_keys_give_equal_values_in_another_process() -> None:
    program = (
        "import json; from domain_rand.keys import keyed_rng, keyed_uniform\n"
        "print(json.dumps([keyed_uniform(1, 'train', 2, 'x'), keyed_rng(1, 'train', 2, 'x').standard_normal()]))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    here = [keyed_uniform(1, "train", 2, "x"), keyed_rng(1, "train", 2, "x").standard_normal()]
    assert json.loads(result.stdout) == here


def test_every_part_of_the_key_matters() -> None:
    base = (1, "train", 2, "x")
    others = [(0, "train", 2, "x"), (1, "test", 2, "x"), (1, "train", 3, "x"), (1, "train", 2, "y")]
    assert len({keyed_uniform(*key) for key in (base, *others)}) == 5
    assert len({keyed_rng(*key).standard_normal() for key in (base, *others)}) == 5


def test_keyed_numbers_are_uniform_and_parameters_independent() -> None:
    a = np.array([keyed_uniform(0, "train", index, "a") for index in range(20_000)])
    b = np.array([keyed_uniform(0, "train", index, "b") for index in range(20_000)])
    shares, _ = np.histogram(a, bins=10, range=(0, 1))
    assert np.abs(shares - 2000).max() < 200  # 4.7 standard deviations of a share
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 0.03
