"""What an identification is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from domain_rand.schema import Schema

Method = Literal["reweight", "dropo", "simopt", "npe"]


class Settings(Schema):
    """Together with logs and robot, these determine every number."""

    method: Method = Field(
        default="reweight", description="posterior: EPOpt's update, DROPO's likelihood, SimOpt's step, a neural density"
    )
    horizon: float = Field(default=0.25, gt=0, description="how far ahead each segment foretells [s]")
    segments: int = Field(default=80, ge=8, description="segments used at most")
    evaluations: int = Field(default=200, ge=10, description="worlds that CMA-ES may try")
    particles: int = Field(default=150, ge=20, description="worlds of the posterior in each of its rounds")
    rounds: int = Field(default=5, ge=1)
    simulations: int = Field(default=500, ge=50, description="NPE: worlds simulated to learn the density from")
    step: float = Field(default=0.02, gt=0, le=0.2, description="finite difference, as a share of the prior's range")
    epsilon: float | None = Field(
        default=None, gt=0, description="DROPO: variance that no parameter explains [rad²]; none: what the fit leaves"
    )
    kl: float = Field(default=2.0, gt=0, description="SimOpt: largest step from the prior [nats]")
    seed: int = Field(default=0, ge=0)
    jobs: int = Field(default=1, ge=1, description="processes that simulate")
