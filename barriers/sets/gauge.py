"""The rounding of u/a, u = R(x − c), which ellipsoids and superellipses compare with 1, in float64 and in
integers.
"""

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.sets.exact import ULP, integers


def slack(
    offset: Float[Tensor, "*n d"], radii: Float[Tensor, "d"], axes: Float[Tensor, "d d"] | None
) -> Float[Tensor, "*n"] | float:
    """A bound on the rounding of ‖u/a‖ ≤ 2, for rows x − c: a few ulps of it, and of ‖x − c‖/a where axes mix
    columns (A.8).
    """
    d = offset.shape[-1]
    own = 3 * (d + 8) * ULP
    return (
        own if axes is None else own + (d + 8) * d * ULP * offset.abs().amax(-1) * float((1 / radii).norm(1))
    )


def whole_shares(
    rows: Float[Tensor, "k d"],
    center: Float[Tensor, "d"],
    radii: Float[Tensor, "d"],
    axes: Float[Tensor, "d d"] | None,
) -> tuple[np.ndarray, int]:
    """u/a as integers [k, d], and the value of 1 on their scale."""
    X, c, a, one = integers(rows, center, radii, 1.0)
    u = X - c
    if axes is not None:
        R, unit = integers(axes, 1.0)
        u, one = u @ R.T, unit
    else:
        one = 1
    others = np.array([_product([b for j, b in enumerate(a) if j != i]) for i in range(len(a))], dtype=object)
    return u * others, _product(list(a)) * one


def _product(numbers: list[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
