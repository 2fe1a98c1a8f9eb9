from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.sac_beside_sb3 import HELD_OUT_SEED, Run, bars, our_config, peers, played
from sdk.evaluate import evaluate_run
from sdk.train import load_policy, train


def test_both_are_judged_in_the_same_worlds_from_the_same_starts(tmp_path: Path) -> None:
    train(our_config(seed=0, steps=800), tmp_path)
    _, policy, _ = load_policy(tmp_path)

    def act(obs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return policy.actions(torch.from_numpy(obs)).greedy.numpy()  # type: ignore[operator, no-any-return]

    ours = evaluate_run(tmp_path, 2, seed=HELD_OUT_SEED).returns
    assert played(act, worlds=2) == pytest.approx(ours, rel=1e-4)
    assert played(lambda obs: -act(obs), worlds=2) != pytest.approx(ours, rel=1e-4)


def test_the_peer_trains_on_our_robot_and_tells_how_far_it_is(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    told: list[int] = []
    returns, rate = peers(Run(seed=0, steps=20, worlds=1, folder=tmp_path), told.append)
    assert told == list(range(1, 21))
    assert np.isfinite(returns).all()
    assert rate > 0


def test_ours_has_to_earn_nearly_what_the_peer_does() -> None:
    peer = np.full((3, 4), 100.0)
    rates = {"ours": [200.0] * 3, "sb3": [100.0] * 3}
    rows = {share: bars({"ours": share * peer, "sb3": peer}, rates) for share in (0.96, 0.94)}
    assert [rows[share][1].holds for share in rows] == [True, False]
    assert rows[0.96][2].value == 2.0
