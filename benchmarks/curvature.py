"""Second derivatives that meta-gradients rest on: how wrong they are on average, and how much they vary.

    python -m benchmarks.curvature

Exact, over all episodes of a small decision process: the Hessian of each surrogate from one episode, beside that of the
expected return. Errors and standard deviations are Frobenius norms.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from benchmarks.tiny_mdp import THETA, Surrogate, chances, expected_return, log_probs, outcomes, to_go
from sdk.results import Row, measured, write_result
from sdk.rl.episodes import Episodes
from sdk.rl.surrogates import dice, likelihood_ratio, policy_gradient


def plain(log_prob: Tensor, advantage: Tensor, of: Episodes) -> Tensor:
    """Return the surrogate that MAML differentiates twice."""
    return policy_gradient(log_prob, advantage, of.mask)


def curved(log_prob: Tensor, advantage: Tensor, of: Episodes) -> Tensor:
    """Return ProMP's, at the policy that acted."""
    return likelihood_ratio(log_prob, log_prob.detach(), advantage, of.mask)


SURROGATES: dict[str, Surrogate] = {"maml": plain, "promp": curved, "dice": dice}


def hessians(surrogate: Surrogate, of: Episodes) -> Tensor:
    """Return the Hessian `[N, 2, 2]` of a surrogate on each episode alone."""

    def on_each(theta: Tensor) -> Tensor:
        return surrogate(log_probs(theta, of), to_go(of), of)

    return torch.func.hessian(on_each)(THETA)


def error_and_deviation(surrogate: Surrogate, steps: int) -> tuple[float, float]:
    """Return how far the mean is from the true Hessian, and the standard deviation around the mean."""
    of = outcomes(steps)
    chance, found = chances(THETA, of)[:, None, None], hessians(surrogate, of)
    mean = (chance * found).sum(0)
    true = torch.func.hessian(lambda theta: expected_return(theta, of))(THETA)
    return float((mean - true).norm()), float((chance * (found - mean) ** 2).sum().sqrt())


def rows(steps: int) -> list[Row]:
    """Return one row for each surrogate, for episodes of so many steps."""
    found = {name: error_and_deviation(surrogate, steps) for name, surrogate in SURROGATES.items()}
    return [
        measured(f"{steps}_steps/{name}/deviation", deviation, "of a Hessian", error=error, promp=found["promp"][1])
        for name, (error, deviation) in found.items()
    ]


def main() -> None:
    """Write `benchmarks/results/curvature.json`."""
    start = time.monotonic()
    found = [row for steps in (1, 2, 3) for row in rows(steps)]
    print(write_result("curvature", "python -m benchmarks.curvature", [0], time.monotonic() - start, found))


if __name__ == "__main__":
    main()
