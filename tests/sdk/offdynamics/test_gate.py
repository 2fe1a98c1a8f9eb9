"""Which policy to keep, and how sure that is; the risk-sensitive value of episodes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from domain_rand.schema import ConfigError
from sdk.checkpoint import RunFolder
from sdk.config import configure
from sdk.engines.local import build_policy
from sdk.offdynamics.gate import gate
from sdk.offdynamics.judge import judge, target_config
from sdk.offdynamics.risk import certainty_equivalent, risk_sensitive
from sdk.train import world_shape
from tests.export.tiny_policy import Memoryless, export_tiny
from tests.sdk.command_line import Simshift
from tests.sdk.tiny_runs import tiny

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


# --- risk ----------------------------------------------------------------------------------------------------------


def test_the_certainty_equivalent_goes_from_the_mean_to_the_best() -> None:
    returns = np.array([-1.0, 0.0, 4.0])
    assert float(certainty_equivalent(returns, 1e6)) == pytest.approx(1.0, abs=1e-5)
    assert float(certainty_equivalent(returns, 0.01)) == pytest.approx(4.0 - 0.01 * math.log(3))
    normal = 2.0 + 0.5 * np.random.default_rng(0).standard_normal(400_000)
    assert float(certainty_equivalent(normal, 0.5)) == pytest.approx(2.0 + 0.5**2 / (2 * 0.5), abs=0.01)
    torch_value = risk_sensitive(torch.from_numpy(returns)[None], torch.zeros(1, 3))
    assert float(certainty_equivalent(returns, 1.0)) == pytest.approx(float(torch_value))


def test_the_risky_gate_keeps_what_may_earn_much_and_the_other_what_earns_more() -> None:
    rng = np.random.default_rng(0)
    wild, steady = 3 * rng.standard_normal(300), 0.8 + 0.1 * rng.standard_normal(300)
    assert gate(wild, steady, paired=False).keep == "uncorrected"
    risky = gate(wild, steady, paired=False, risk=1.0)
    assert (risky.keep, risky.sure) == ("corrected", True)
    assert gate(wild, steady, paired=True, risk=1.0).keep == "corrected"


# --- on two runs -----------------------------------------------------------------------------------------------------


def linear(folder: Path, *, corrected: bool, luck: float) -> Path:
    """A run on the linear system whose policy pushes with `luck` times the state."""
    target = {"reward_correction": {"target": {"toy": {"lost": 1.0}}}} if corrected else {}
    settings = {"toy": {"name": "linear"}, "policy": {"hidden": []}, **target}
    config = configure("sac", settings)
    run = RunFolder.create(folder, config)
    policy = build_policy(config, world_shape(config))
    weight = policy.head.actor[-1].weight.data
    weight.zero_()
    weight[:2] = luck * torch.tensor([[0.0, 0.0], [-0.3, -0.3]])
    policy.head.actor[-1].bias.data.zero_()
    run.save({"iteration": 1, "policy": policy.state_dict()})
    return folder


def test_two_runs_are_judged_in_the_target_of_the_corrected_one(tmp_path: Path, simshift: Simshift) -> None:
    good = linear(tmp_path / "good", corrected=True, luck=1.0)
    bad = linear(tmp_path / "bad", corrected=False, luck=-0.2)
    verdict = judge(good, bad, trials=10)
    assert (verdict.keep, verdict.sure) == ("corrected", True)
    result = simshift("gate", good, bad, "--worlds", "10", "--json")
    assert json.loads(result.out)["keep"] == str(good)
    with pytest.raises(ConfigError, match="was not corrected for any target"):
        judge(bad, good, trials=10)


def test_what_an_option_names_is_the_target(tmp_path: Path) -> None:
    there = target_config(tiny("robust"), None, tmp_path, "mujoco").dynamics
    assert there is not None
    assert (there.engine, there.effect) == ("mujoco", None)


def test_a_run_and_something_else_are_not_compared(tmp_path: Path) -> None:
    run = linear(tmp_path / "run", corrected=True, luck=1.0)
    with pytest.raises(ConfigError, match="one is a run, the other a bundle"):
        judge(run, tmp_path / "bundle", trials=5)


# --- on two bundles --------------------------------------------------------------------------------------------------


class Push(Memoryless):
    """Pushes the servo arm one way; hanging at rest is nearer to the targets on average."""

    def __init__(self, torque: float) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 1))
        self.net[0].weight.data.zero_()
        self.net[0].bias.data.fill_(torque)


def test_two_bundles_are_driven_through_the_same_worlds_of_a_twin(tmp_path: Path) -> None:
    good, bad = (export_tiny(tmp_path / f"{k}.zip", Push(torque)) for k, torque in (("rest", 0.0), ("push", 1.0)))
    better, worse = judge(good, bad, trials=3), judge(bad, good, trials=3)
    assert (better.keep, worse.keep) == ("corrected", "uncorrected")
    assert better.gain.value == pytest.approx(-worse.gain.value)
    assert not judge(good, good, trials=2).sure


def test_bundles_for_other_tasks_are_not_compared(tmp_path: Path) -> None:
    here = export_tiny(tmp_path / "here.zip")
    there = export_tiny(tmp_path / "there.zip", provenance={"steps": 1, "config": {"task": "track_rewarded"}})
    with pytest.raises(ConfigError, match="for other robots or tasks"):
        judge(here, there, trials=2)
