"""Which policy to keep, and how sure that is; the risk-sensitive value of episodes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from domain_rand.schema import ConfigError
from sdk.offdynamics.gate import gate
from sdk.offdynamics.risk import risk_sensitive

RETURNS = np.random.default_rng(0).standard_normal(200)


def test_the_better_policy_is_kept_and_pairs_make_sure() -> None:
    better = RETURNS + 0.1 + 0.05 * np.random.default_rng(1).standard_normal(200)
    paired, apart = (gate(better, RETURNS, paired=p) for p in (True, False))
    assert (paired.keep, paired.sure) == ("corrected", True)
    assert (apart.keep, apart.sure) == ("corrected", False), "the same gain drowns in the worlds' own differences"
    worse = gate(RETURNS, better, paired=True)
    assert (worse.keep, worse.sure) == ("uncorrected", True)
    assert worse.gain.high < 0


def test_without_a_difference_nothing_is_corrected() -> None:
    verdict = gate(RETURNS, RETURNS.copy(), paired=True)
    assert (verdict.keep, verdict.sure) == ("uncorrected", False)


def test_the_interval_of_unpaired_returns_covers_the_true_gain() -> None:
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        verdict = gate(0.5 + rng.standard_normal(40), 2 * rng.standard_normal(60), paired=False)
        covered += verdict.gain.low <= 0.5 <= verdict.gain.high
    assert covered >= 88


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ConfigError, match="corrected: 1 finite returns of 1; at least 2"):
        gate(np.ones(1), np.ones(5), paired=False)
    with pytest.raises(ConfigError, match="uncorrected: 4 finite returns of 5"):
        gate(np.ones(5), np.array([1, 1, np.nan, 1, 1]), paired=False)
    with pytest.raises(ConfigError, match="paired: 3 corrected episodes, 5 uncorrected"):
        gate(np.ones(3), np.ones(5), paired=True)


def test_the_risk_sensitive_value_of_episodes() -> None:
    reward, delta = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.5, -1.0], [0.0, 0.0]])
    expected = math.log((math.exp(1.5) + math.exp(2.0)) / 2)
    assert float(risk_sensitive(reward, delta)) == pytest.approx(expected)
    assert float(risk_sensitive(1000 + reward, delta)) == pytest.approx(2000 + expected)


def test_it_tells_the_target_s_value_from_the_source_s_episodes_alone() -> None:
    """A push of 0.4 in noise of 0.5: log E_target exp(r) for r = s′ is 0.4 + 0.5² / 2."""
    from sdk.offdynamics.exact.gaussian import delta_reward

    noise = 0.5 * np.random.default_rng(0).standard_normal(400_000)
    delta = delta_reward(noise, push=0.4, sigma=0.5)
    found = risk_sensitive(torch.from_numpy(noise)[None], torch.from_numpy(delta)[None])
    assert float(found) == pytest.approx(0.4 + 0.5**2 / 2, abs=0.02)
    assert float((noise + delta).mean()) < 0
