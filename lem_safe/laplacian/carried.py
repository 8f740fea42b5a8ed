"""The quantities propagated through a network: forward, a value with its Jacobian and Laplacian (E.20);
backward, an adjoint. Features have any shape `*s`; `r` counts the directions V along which derivatives are
taken.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor


class Carried(NamedTuple):
    """f, ∂f/∂y along V and Σ_k ∂²f/∂y_k² of y ↦ f(x + Vy) at 0, for every feature.

    jacobian: one for all rows (its first axis is 1) after affine layers only, afterwards one per row.
    """

    value: Float[Tensor, "n *s"]
    jacobian: Float[Tensor, "#n r *s"]
    laplacian: Float[Tensor, "n *s"]


class Linearized(NamedTuple):
    """f(x), and the transposed derivative at x: `pull` maps an adjoint δ of f(x) to one of x, differentiable
    like f itself.
    """

    value: Float[Tensor, "n *s"]
    pull: Callable[[Tensor], Tensor]
