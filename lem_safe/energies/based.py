"""Networks that correct a normalised energy with known derivatives, whose parameters are fitted rather than
trained.
"""

from typing import Generic, Protocol, TypeVar

from jaxtyping import Float

from barriers.arrays import Tensor, nn
from lem_safe.energies.network import NetworkEnergy
from lem_safe.energies.trunk import Trunk


class Base(Protocol):
    """What a network corrects."""

    def differentiable(self, x: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
        """U(x) and ∇U(x), both differentiable in x."""

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
        """The same, detached."""

    def laplacian(self, x: Float[Tensor, "n d"], directions: Tensor | None = None) -> Tensor:
        """The trace of ∇²U along directions."""

    def typical_points(self) -> Float[Tensor, "k d"]:
        """Some points near the mass."""


B = TypeVar("B", bound=Base)


class Based(NetworkEnergy, Generic[B]):
    """`trunk`, bounded, plus `base`: integrable for any weights of the network, as the base is."""

    base: B

    def __init__(self, trunk: Trunk, base: B):
        super().__init__(trunk)
        assert isinstance(base, nn.Module)
        self.base = base

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.base.typical_points()

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def _confining(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.base.differentiable(x)

    def _confining_alone(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.base.value_and_gradient(x)

    def _confining_trace(self, x: Tensor, V: Tensor) -> Tensor:
        return self.base.laplacian(x, V)
