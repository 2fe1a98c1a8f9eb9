"""The world's own model learns as Bayes' rule says; models of the bank are compared with it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdk.nn import world_models
from sdk.nn.world_models import PRIOR, SHARES, START, WorldModels, kalman_step

CAUSES, SIGNALS, STEPS = 3, 2, 60


def run(phi: Tensor, y: Tensor, live: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return the own model and what is left of the prior's variance after all rows."""
    own, learned = torch.zeros(CAUSES, SIGNALS), torch.zeros(CAUSES, CAUSES)
    for row, out in zip(phi, y, strict=True):
        own, learned, _, _ = kalman_step(own, learned, row, out, torch.tensor([live]))
    return own, PRIOR * torch.eye(CAUSES) - learned


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    phi = torch.randn(STEPS, CAUSES, generator=rng)
    theta = torch.tensor([[1.0, 0.0], [-0.5, 2.0], [0.0, 0.3]])
    return phi, phi @ theta + 0.1 * torch.randn(STEPS, SIGNALS, generator=rng)


def test_without_forgetting_it_is_bayesian_regression(
    rows: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world_models, "FORGET", float("inf"))
    phi, y = rows
    own, variance = run(phi, y)
    precision = phi.T @ phi + torch.eye(CAUSES) / PRIOR
    torch.testing.assert_close(own, torch.linalg.solve(precision, phi.T @ y), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(variance, torch.linalg.inv(precision), atol=1e-4, rtol=1e-3)


def test_one_step_by_hand() -> None:
    own, learned = torch.zeros(1, 1), torch.zeros(1, 1)
    own, learned, error, foretold = kalman_step(own, learned, torch.ones(1), torch.tensor([2.2]), torch.ones(1))
    # variance of the error 1 + 10, gain 10 / 11
    assert own.item() == pytest.approx(2.0)
    assert learned.item() == pytest.approx(100 / 11)
    assert (error.item(), foretold.item()) == (pytest.approx(2.2 / 11**0.5), 0.0)


def test_what_does_not_count_teaches_nothing_and_the_old_is_forgotten(rows: tuple[Tensor, Tensor]) -> None:
    own, variance = run(*rows, live=0.0)
    assert not own.any()
    assert torch.equal(variance, PRIOR * torch.eye(CAUSES))
    knows, before = run(*rows)
    for _ in range(3000):
        knows, learned, _, _ = kalman_step(
            knows, PRIOR * torch.eye(CAUSES) - before, torch.zeros(CAUSES), torch.zeros(SIGNALS), torch.zeros(1)
        )
        before = PRIOR * torch.eye(CAUSES) - learned
    assert float(knows.abs().max()) < 1e-3
    torch.testing.assert_close(before, PRIOR * torch.eye(CAUSES), atol=1e-3, rtol=0)


def follow(models: WorldModels, phi: Tensor, y: Tensor, apart: Tensor | None = None) -> Tensor:
    """Return the last clues of one world."""
    carry = tuple(torch.from_numpy(state.start()) for state in models.carry_spec)
    found, one = torch.zeros(1, models.clues), torch.ones(1, 1)
    for row, out in zip(phi, y, strict=True):
        found, carry = models.step(row[None, None], out[None, None], one[None], one, carry, apart)
    return found[0]


def test_the_nearest_world_explains_a_world_of_the_bank_and_no_other(rows: tuple[Tensor, Tensor]) -> None:
    phi, y = rows
    theta = torch.linalg.lstsq(phi, y).solution
    models = WorldModels(torch.stack([theta + 3, theta, theta - 3])[None])
    own, other = follow(models, phi, y), follow(models, phi, y, torch.tensor([[0.0, 1e6, 0.0]]))
    assert (own[: len(SHARES)] <= 0.05).all()
    assert (other[: len(SHARES)] > 0.5).all()


def test_the_ratio_is_of_sums_of_squares() -> None:
    models = WorldModels(torch.zeros(1, 1, 1, 1))
    found = follow(models, torch.ones(1, 1), torch.tensor([[2.2]]))
    # the own model errs by 2.2 / √11 and had foretold nothing; the other errs by 2.2
    decayed = START * (1 - 1 / world_models.FORGET)
    expected = torch.tensor((decayed + 2.2**2) / (decayed + 2.2**2 / 11)).log()
    torch.testing.assert_close(found[: len(SHARES)], expected.expand(len(SHARES)).float())
