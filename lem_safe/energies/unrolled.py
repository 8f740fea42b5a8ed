"""An energy whose gradient stays in the graph, for runs that are to be differentiated.

Energies return ∇U detached, so that sampling records nothing. The derivative of a run needs the graph:
through one step x' = x − h∇U(x; θ) it is dx' = (I − h∇²U)dx − h ∂_θ∇U dθ, and both terms come from ∇U.
"""

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.derivatives import recorded, value_and_gradient
from lem_safe.energies.base import Energy
from lem_safe.energies.weighted import Weighted


class Unrolled(Weighted):
    """`energy`, with U and ∇U differentiable in x and in those of its parameters and buffers that require
    grad.

    ∇U is taken by automatic differentiation of `forward`, at about twice the cost. Where grad mode is off, or
    nothing requires grad, it is detached as usual. The Laplacian is the energy's own.
    """

    def __init__(self, energy: Energy):
        super().__init__()
        self.energy, self.dimension = energy, energy.dimension

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.energy(x)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        return value_and_gradient(self.energy, x)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        return self.energy.laplacian(x, directions)

    def weighted(self) -> list[tuple[float, Energy]]:
        return [(1.0, self.energy)]


def refuse_half_a_graph(energy: Energy, x: Tensor) -> None:
    """Raises ValueError where x has a graph but the energy would detach it: the derivative would silently
    lack ∇²U.
    """
    if recorded(x) and not isinstance(energy, Unrolled):
        raise ValueError(
            f"the particles require grad, but {type(energy).__name__} cuts its gradient from the graph; "
            "wrap the energy in Unrolled(...), "
            "or sample under torch.no_grad()"
        )
