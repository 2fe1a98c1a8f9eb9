from __future__ import annotations

import numpy as np
import pytest
import torch

from sdk.nn.normalizer import Normalizer


@pytest.fixture
def blocks() -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    shapes = [(4, 3, 2), (1, 2), (50, 2), (7, 5, 2)]
    return [torch.from_numpy((rng.normal([3, -200], [0.1, 5], s)).astype(np.float32)) for s in shapes]


def test_moments_over_several_merges_are_those_of_all_samples(blocks: list[torch.Tensor]) -> None:
    normalizer = Normalizer(2)
    for block in blocks:
        normalizer.update(block)
    samples = np.concatenate([block.reshape(-1, 2).numpy() for block in blocks]).astype(np.float64)
    assert normalizer.count == len(samples) == 98
    assert np.allclose(normalizer.mean, samples.mean(0), rtol=1e-6)
    assert np.allclose(normalizer.var, samples.var(0), rtol=1e-4)


def test_the_order_of_merges_does_not_matter(blocks: list[torch.Tensor]) -> None:
    forwards, backwards = Normalizer(2), Normalizer(2)
    for block, other in zip(blocks, reversed(blocks), strict=True):
        forwards.update(block)
        backwards.update(other)
    torch.testing.assert_close(forwards.var, backwards.var, rtol=1e-4, atol=0)


def test_output_is_standardised_and_clipped(blocks: list[torch.Tensor]) -> None:
    normalizer = Normalizer(2, clip=3.0)
    normalizer.update(blocks[2])
    out = normalizer(blocks[2])
    assert torch.allclose(out.mean(0), torch.zeros(2), atol=1e-3)
    assert torch.allclose(out.std(0, correction=0), torch.ones(2), atol=1e-2)
    assert normalizer(torch.tensor([[1e6, -1e6]])).tolist() == [[3, -3]]


def test_untouched_it_passes_values_through() -> None:
    x = torch.tensor([[0.5, -2.0]])
    torch.testing.assert_close(Normalizer(2)(x), x, rtol=1e-5, atol=0)


def test_a_signal_that_never_moves_stays_finite() -> None:
    normalizer = Normalizer(1)
    normalizer.update(torch.full((10, 1), 4.0))
    assert normalizer(torch.tensor([[4.0], [5.0]])).tolist() == [[0], [10]]


def test_moments_are_saved_with_the_weights_and_learn_nothing() -> None:
    normalizer = Normalizer(2)
    assert set(normalizer.state_dict()) == {"mean", "var", "count"}
    assert not list(normalizer.parameters())


def test_what_is_not_to_be_amplified_only_shrinks() -> None:
    x = torch.randn(1000, 3) * torch.tensor([0.01, 0.01, 5.0])
    normalizer = Normalizer(3, unamplified=2)
    normalizer.update(x)
    spread = normalizer(x).std(0, correction=0)
    torch.testing.assert_close(
        spread, torch.stack([torch.ones(()), x[:, 1].std(correction=0), torch.ones(())]), atol=1e-2, rtol=0
    )
    assert "least" not in normalizer.state_dict()  # it is a setting, not something learned
