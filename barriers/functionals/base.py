"""The interface of a barrier on distributions: B(ρ) = readout(E_ρ[statistics]), and B(ρ) ≥ 0 is safe (B.1).

Along dx = u dt + √2 dW each mean changes by E[∇f·u + Δf] (B.3), so the chain rule through the readout gives
dB/dt for any B; value, gradient and Itô term are written once, in the filters. Letters: k statistics, m
constraints.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from barriers.derivatives import jacobian


class StatisticsJet(NamedTuple):
    """Statistics of every particle with their gradients and Laplacians."""

    value: Float[Tensor, "n k"]
    gradient: Float[Tensor, "n k d"]
    laplacian: Float[Tensor, "n k"]


class Counted(NamedTuple):
    """What particles a barrier bounds the number of: at most ⌊share·n⌋ of n for which `contains` is true, in
    each of m rows, wherever B ≥ 0.

    scale: so much must be added to B for E φ to double, where φ is the row's surrogate: κβ for a mass (D.7).
    """

    contains: Callable[[Float[Tensor, "n d"]], Bool[Tensor, "n m"]]
    shares: tuple[float, ...]
    scale: Float[Tensor, "m"]


class Barrier(nn.Module, ABC):
    """m inequality constraints on a distribution, through k statistics.

    limits: the largest allowed value of each observed quantity, [m], float64; B = limits − observed.
    """

    limits: Tensor

    @classmethod
    @abstractmethod
    def example(cls) -> "Barrier":
        """A member in two dimensions that a cloud around (0, −4) satisfies, for the law tests."""

    @abstractmethod
    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """f(x), differentiable."""

    @abstractmethod
    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        """f, ∇f and Δf at every particle."""

    @abstractmethod
    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        """f and ∇f at every particle: the jet without its Laplacian."""

    @abstractmethod
    def readout(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
        """B from the means of the statistics, differentiable; ≥ 0 is safe."""

    def counted(self) -> Counted | None:
        """The particles whose number B ≥ 0 bounds; None where it bounds no number of particles."""
        return None

    def observed(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m"]:
        """limits − B, which must not exceed `limits`; for a mass barrier E φ itself."""
        return self.limits - self.readout(mean)

    def jacobian(self, mean: Float[Tensor, "k"]) -> Float[Tensor, "m k"]:
        """∂readout/∂mean, by automatic differentiation."""
        return jacobian(self.readout, mean)
