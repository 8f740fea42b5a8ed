"""Whitened coordinates of a table: x = m + Lz with L = D R^{1/2}, D the standard deviations and R the
correlation matrix.

Standardising alone leaves nearly collinear columns (radius and perimeter correlate at .998) as a direction a
thousand times stiffer than the rest. The symmetric root ("ZCA-cor") removes it and keeps every z closest to
its own column.
"""

from collections.abc import Sequence

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.errors import BadInput, Fault

ROUND = 1.1
"""Data whose standard deviations differ by less than this factor, in every direction, are only scaled, so
that balls remain balls.
"""
HUGE = 1e30
"""The largest size of numbers in the data, so that samples can be saved as float32."""
FLOOR = 1e-10
"""The smallest eigenvalue of R: below it a column is a linear function of others to numerical precision."""


def whiten(values: Float64[Tensor, "n d"], columns: Sequence[str]) -> Coordinates:
    """The coordinates in which the rows have mean 0 and covariance I (within a fifth where the data are
    round).

    Raises BadInput for too few rows, constant columns, or columns that determine each other.
    """
    n, d = values.shape
    if n <= d:
        raise BadInput(
            Fault(f"data: {n} rows are too few for {d} columns; use at least {d + 1} rows, or fewer columns")
        )
    m, std = values.mean(0), values.std(0)
    scale = values.abs().amax(0)
    huge = [(c, a) for c, a in zip(columns, scale.tolist(), strict=True) if a > HUGE]
    if huge:
        raise BadInput(
            [
                Fault(f"data: column '{c}' holds numbers of size {a:.3g}, over {HUGE:g}; use larger units")
                for c, a in huge
            ]
        )
    still = [
        Fault(f"data: column '{c}' {_stillness(values[:, j], float(scale[j]))}")
        for j, c in enumerate(columns)
        if float(std[j]) <= 1e-12 * float(scale[j])
    ]
    if still:
        raise BadInput(still)
    R = torch.atleast_2d(torch.corrcoef(values.T))
    λ, Q = torch.linalg.eigh(R)
    if λ[0] < FLOOR:
        share = Q[:, λ < FLOOR].square().amax(1)
        names = [c for c, s in zip(columns, share.tolist(), strict=True) if s > 1e-3]
        raise BadInput(
            Fault(
                f"data: columns {', '.join(names)} determine each other exactly; leave one out with columns:"
            )
        )
    L = std[:, None] * (Q * λ.sqrt()) @ Q.T
    spread = torch.linalg.svdvals(L)
    if spread[0] <= ROUND * spread[-1]:
        return Coordinates(m, spread.mean() * torch.eye(d, dtype=torch.float64))
    return Coordinates(m, L)


def _stillness(column: Float64[Tensor, "n"], size: float) -> str:
    """Why a column has too little variance, and the remedy."""
    width = float(column.max() - column.min())
    if width == 0:
        return "is constant; leave it out with columns:"
    if width > 1e-12 * size:
        return f"holds numbers of size {size:.3g}, whose squares are 0 in float64; use smaller units"
    return (
        f"is within {width:.3g} of {float(column[0]):.7g}, too little for float64 to learn from; subtract a "
        "constant from the column, there and in the regions"
    )
