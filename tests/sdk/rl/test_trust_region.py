from __future__ import annotations

import torch
from torch import nn

from sdk.rl.distributions import Categorical, Gaussian
from sdk.rl.trust_region import conjugate_gradient, curvature, line_search, longest_step


def positive_definite(size: int) -> torch.Tensor:
    root = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return root @ root.T + torch.eye(size, dtype=torch.float64)


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_unknowns() -> None:
    matrix, target = positive_definite(7), torch.arange(7, dtype=torch.float64)
    torch.testing.assert_close(conjugate_gradient(lambda v: matrix @ v, target, 7), torch.linalg.solve(matrix, target))
    early = conjugate_gradient(lambda v: matrix @ v, target, 3)
    assert not torch.allclose(early, torch.linalg.solve(matrix, target), rtol=0.1)


def test_the_curvature_of_a_gaussian_s_divergence_is_its_fisher_matrix() -> None:
    mean, log_std = torch.zeros(2, requires_grad=True), torch.tensor([0.0, -1.0], requires_grad=True)
    old = Gaussian(mean.detach(), log_std.detach())
    product = curvature(old.kl(Gaussian(mean, log_std)), [mean, log_std], damping=0.0)
    found = torch.stack([product(v) for v in torch.eye(4)])
    torch.testing.assert_close(found, torch.diag(torch.tensor([1.0, torch.e**2, 2.0, 2.0])))


def test_the_divergence_of_a_choice() -> None:
    one, other = Categorical(torch.tensor([[0.0, 1.0, 2.0]])), Categorical(torch.tensor([[1.0, -1.0, 0.0]]))
    chances = [d.logits.softmax(-1) for d in (one, other)]
    torch.testing.assert_close(one.kl(other), (chances[0] * (chances[0] / chances[1]).log()).sum(-1))


def test_the_longest_step_spends_the_divergence_there_is() -> None:
    matrix, gradient = positive_definite(5), torch.ones(5, dtype=torch.float64)
    step = longest_step(lambda v: matrix @ v, gradient, 0.01, 5)
    torch.testing.assert_close(0.5 * step @ matrix @ step, torch.tensor(0.01, dtype=torch.float64))
    torch.testing.assert_close(step / step.norm(), nn.functional.normalize(torch.linalg.solve(matrix, gradient), dim=0))


def searched(step: float, max_kl: float) -> tuple[float, int]:
    """Climb −(x − 1)² from 0, where moving by x diverges by ½x²."""
    x = nn.Parameter(torch.zeros(1))

    def evaluate() -> tuple[float, float]:
        return -float((x.detach() - 1) ** 2), 0.5 * float(x.detach() ** 2)

    limits = {"max_kl": max_kl, "backtracks": 10, "ratio": 0.5}
    tried, reached = line_search([x], torch.tensor([step]), evaluate, evaluate(), **limits)  # type: ignore[arg-type]
    assert reached == evaluate()
    return float(x), tried


def test_a_step_is_shortened_until_it_gains_within_the_bound() -> None:
    assert searched(0.5, max_kl=1.0) == (0.5, 0)
    assert searched(4.0, max_kl=10.0) == (1.0, 2)  # 4 and 2 gain nothing
    assert searched(1.0, max_kl=0.04) == (0.25, 2)  # 1 and ½ diverge too far


def test_lengths_whose_divergence_is_foretold_to_be_too_large_are_not_tried() -> None:
    x, tried = nn.Parameter(torch.zeros(1)), []

    def evaluate() -> tuple[float, float]:
        tried.append(float(x.detach()))
        return tried[-1], 0.5 * tried[-1] ** 2

    found, _ = line_search([x], torch.ones(1), evaluate, (0.0, 0.0), max_kl=0.5 / 4**3, backtracks=10, ratio=0.5)
    assert (found, tried) == (3, [1.0, 0.125])


def test_where_no_step_gains_the_parameters_stay() -> None:
    assert searched(-1.0, max_kl=10.0) == (0.0, 10)
