"""The golden adaptation: what `adapt` made of episodes in training is made again here, or the bundle is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from export.adapt_graph import STEPS, adapt_parity, adapt_to_onnx, example_steps, parity_steps
from export.bundle import ADAPT_GRAPH, GOLDEN, Bundle, BundleError, write_bundle
from export.golden_adaptation import check_golden_adaptation, named, open_adapt_graph, read_golden_adaptation
from export.runtime.policy import Policy
from export.verify import golden_bytes, read_golden, require_golden
from sdk.cli import app
from tests.export.adapting_bundle import adapting_policy

Trace = dict[str, np.ndarray]


@pytest.fixture
def bundle(adapting: Bundle) -> Bundle:
    return adapting


@pytest.fixture(scope="module")
def other(adapting: Bundle) -> Bundle:
    """A bundle whose adapt graph is that of slightly other weights."""
    policy = adapting_policy()
    with torch.no_grad():
        policy.actor[0].weight *= 1.01
    return Bundle(adapting.manifest, {**adapting.files, ADAPT_GRAPH: adapt_to_onnx(policy, 2)})


def test_a_fresh_bundle_adapts_as_the_policy_did(bundle: Bundle) -> None:
    check = check_golden_adaptation(bundle)
    assert check.holds
    assert check.max_abs_error < 1e-6
    assert check.steps >= 50
    trace = read_golden_adaptation(bundle)
    assert np.abs(trace["next_adapted"] - trace["carry_adapted"]).max() > 1e-3
    assert 0 < trace["mask"].mean() < 1


def test_an_arm_of_seven_joints_adapts_on_any_number_of_control_periods() -> None:
    """Its sizes are those of the example that is traced: tracing would take the number of periods for one of them."""
    policy = adapting_policy(obs=STEPS, action=STEPS)
    assert example_steps(policy, STEPS) == 9  # 7 are taken, and 8 hidden units
    assert adapt_parity(policy, adapt_to_onnx(policy, STEPS), STEPS) < 1e-5


def test_what_sees_much_is_compared_on_batches_that_a_baseline_does_not_fit_exactly() -> None:
    assert parity_steps(3) == (1, 20, 60, 200, 500)
    assert parity_steps(17) == (1, 60, 200, 500)  # the KUKA's: of 20 control periods nothing but rounding was left
    assert parity_steps(300) == (1, 900)


def test_another_adapt_graph_is_noticed_and_never_drives(other: Bundle) -> None:
    assert not check_golden_adaptation(other).holds
    assert require_golden(other).holds  # its steps are those of the trace
    with pytest.raises(BundleError, match=r"adapt.onnx departs from golden.npz by .* install another onnxruntime"):
        Policy(other)


def test_the_steps_are_read_without_it(bundle: Bundle) -> None:
    assert set(read_golden(bundle)) == {t.name for t in (*bundle.manifest.inputs, *bundle.manifest.outputs)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {}, "holds no adaptation of this policy"),
        (lambda t: {k: v for k, v in t.items() if k != "mask"}, "holds no adaptation of this policy"),
        (lambda t: t | {"extra": t["mask"]}, "holds no adaptation of this policy"),
        (lambda t: t | {"obs": t["obs"][1:]}, "adapt_obs is float32"),
        (lambda t: t | {"reward": t["reward"][:0]}, "adapt_.* is float32"),
        (lambda t: t | {"next_adapted": t["next_adapted"].astype(np.float64)}, "adapt_next_adapted is float64"),
        (lambda t: t | {"next_adapted": t["next_adapted"] * np.nan}, "expected finite float32"),
    ],
)
def test_an_adaptation_that_does_not_fit_is_refused(
    bundle: Bundle, change: Callable[[Trace], Trace], message: str
) -> None:
    trace = read_golden(bundle) | named(change(read_golden_adaptation(bundle)))
    with pytest.raises(BundleError, match=message):
        open_adapt_graph(Bundle(bundle.manifest, {**bundle.files, GOLDEN: golden_bytes(trace)}))


def test_verify_says_how_far_it_is_off(bundle: Bundle, other: Bundle, tmp_path: Path) -> None:
    for name, of in (("sound", bundle), ("other", other)):
        write_bundle(tmp_path / name, of.manifest, of.files)
        result = CliRunner().invoke(app, ["verify", str(tmp_path / name), "--json"])
        facts = json.loads(result.stdout)
        sound = name == "sound"
        assert (facts["holds"], facts["adaptation"]["max_abs_error"] < 1e-5, result.exit_code == 0) == (sound,) * 3
        assert "golden adaptation" in CliRunner().invoke(app, ["verify", str(tmp_path / name)]).output
