"""The manifest: one signature made from contract and carry, and nothing that contradicts it."""

from __future__ import annotations

import numpy as np
import pytest

from domain_rand.schema import ConfigError
from export.bundle import Bundle
from export.manifest import CarryState, Manifest, TensorSpec, graph_inputs, graph_outputs
from tests.export.tiny_policy import servo_arm


def test_a_carry_state_starts_from_one_number() -> None:
    np.testing.assert_array_equal(CarryState(name="h", shape=(3,), initial=0.5).start(), np.full((1, 3), 0.5))


def test_a_carry_state_starts_from_a_list_row_major() -> None:
    start = CarryState(name="h", shape=(2, 2), initial=(1, 2, 3, 4)).start()
    assert start.tolist() == [[[1, 2], [3, 4]]]
    assert start.dtype == np.float32


def test_an_initial_value_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"initial of h has 2 values for shape \(3,\): 3"):
        CarryState.parse({"name": "h", "shape": [3], "initial": [1.0, 2.0]})


@pytest.mark.parametrize("name", ["Memory", "a b", "../x", ""])
def test_a_carry_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        CarryState.parse({"name": name, "shape": [1]})


def test_two_states_of_one_name_are_refused() -> None:
    state = CarryState(name="h", shape=(1,))
    with pytest.raises(ValueError, match="share a name: h, h"):
        graph_inputs(("obs",), servo_arm()[0], (state, state))


def test_the_signature_follows_from_contract_and_carry() -> None:
    contract, state = servo_arm()[0], CarryState(name="h", shape=(4,))
    assert graph_inputs(("obs", "episode_start"), contract, (state,)) == (
        TensorSpec(name="obs", shape=(1, 3)),
        TensorSpec(name="episode_start", shape=(1, 1)),
        TensorSpec(name="carry_h", shape=(1, 4)),
    )
    assert [t.name for t in graph_outputs(contract, (state,))] == ["action", "next_h"]


def test_the_contract_survives_unrounded(bundle: Bundle) -> None:
    contract = servo_arm()[0]
    assert bundle.manifest.contract == contract
    assert bundle.manifest.contract.fingerprint == contract.fingerprint
    assert bundle.manifest.randomization == servo_arm()[1]


def changed(bundle: Bundle, **changes: object) -> Manifest:
    return Manifest.parse(bundle.manifest.plain() | changes, "manifest")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"carry": []}, "inputs are"),
        ({"inputs": [{"name": "obs", "shape": [1, 4]}]}, "inputs are"),
        ({"outputs": []}, "outputs are"),
        ({"inputs": [{"name": "last_reward", "shape": [1, 1]}]}, "needs_reward: false"),
        ({"inputs": [{"name": "context", "shape": [1, 9]}]}, "choose from"),
        ({"algoritm": "rl2"}, "did you mean 'algorithm'"),
    ],
)
def test_a_contradictory_manifest_is_refused(bundle: Bundle, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        changed(bundle, **changes)
