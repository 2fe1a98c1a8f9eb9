"""Quantities that go together: a Gaussian copula couples uniforms and leaves each of them uniform.

Independent uniforms become standard normals, a Cholesky factor of the correlation mixes them, and the normal
distribution function makes them uniform again. Each quantity keeps its own distribution exactly; the rank correlation
of two of them is (6/π)·asin(ρ/2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from pydantic import Field, model_validator

from domain_rand.entries import Entry
from domain_rand.schema import Schema, nearest

Matrix = tuple[tuple[float, ...], ...]
_NORMAL = NormalDist()
_EPS = 1e-15


class CorrelatedGroup(Schema):
    """Entries drawn together; `correlation` is one number for all pairs, or a matrix in the order of `members`."""

    members: tuple[str, ...] = Field(min_length=1)
    correlation: float | Matrix

    @model_validator(mode="after")
    def _valid(self) -> CorrelatedGroup:
        if len(set(self.members)) < len(self.members):
            raise ValueError(f"members {', '.join(self.members)}: one is named twice")
        matrix = self.matrix
        if matrix.shape != (len(self.members),) * 2:
            raise ValueError(f"correlation is {_shape(self.correlation)} for {len(self.members)} members")
        if not (np.array_equal(matrix, matrix.T) and np.all(np.diagonal(matrix) == 1)):
            raise ValueError("correlation must be symmetric with ones on the diagonal")
        if np.linalg.eigvalsh(matrix)[0] <= 1e-9:
            raise ValueError("correlation is not positive definite: no quantities can be related like this")
        return self

    @property
    def matrix(self) -> np.ndarray:
        """Correlation of the underlying normals, `[members, members]`."""
        if isinstance(self.correlation, float):
            n = len(self.members)
            return np.where(np.eye(n, dtype=bool), 1.0, self.correlation)
        if len({len(row) for row in self.correlation}) != 1:
            raise ValueError("correlation has rows of different lengths")
        return np.array(self.correlation)

    def expanded(self, names: Mapping[str, tuple[str, ...]]) -> CorrelatedGroup:
        """Return the group over the entries that its members stand for (see `Entry.expanded`)."""
        members = tuple(name for member in self.members for name in names[member])
        return self if members == self.members else self.parse({"members": members, "correlation": self.correlation})

    def factor(self) -> tuple[tuple[str, ...], Matrix]:
        """Return the members in alphabetical order, so that the order in a file is irrelevant, and their factor."""
        order = np.argsort(self.members)
        factor = np.linalg.cholesky(self.matrix[np.ix_(order, order)])
        rows = tuple(tuple(row[: i + 1]) for i, row in enumerate(factor.tolist()))
        return tuple(self.members[i] for i in order), rows


def correlate(uniforms: Sequence[float], factor: Matrix) -> list[float]:
    """Couple independent uniforms by the rows of a lower-triangular factor `L` with `L·Lᵀ` = correlation."""
    normals = [_NORMAL.inv_cdf(min(max(u, _EPS), 1 - _EPS)) for u in uniforms]
    mixed = (sum(a * z for a, z in zip(row, normals, strict=False)) for row in factor)
    return [min(_NORMAL.cdf(z), 1 - 2.0**-53) for z in mixed]


def check_group(label: str, group: CorrelatedGroup, entries: Mapping[str, Entry]) -> None:
    """Raise `ValueError` when these entries cannot be drawn together."""
    for member in group.members:
        if member not in entries:
            raise ValueError(f"group {label}: unknown parameter '{member}'; {nearest(member, tuple(entries))}")
    members = [entries[member] for member in group.members]
    if len({entry.when for entry in members}) > 1 or members[0].when == "interval":
        raise ValueError(f"group {label}: members must all be drawn once, per task or per episode")
    if any(entry.each for entry in members) and not isinstance(group.correlation, float):
        raise ValueError(f"group {label}: members with 'each' need one number as correlation")
    if len(members) == 1 and not members[0].each:
        raise ValueError(f"group {label}: one member alone has nothing to correlate with")


def _shape(correlation: float | Matrix) -> str:
    return "one number" if isinstance(correlation, float) else f"{len(correlation)} × {len(correlation[0])}"
