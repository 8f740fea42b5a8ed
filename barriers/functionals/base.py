"""The interface of a barrier on distributions: B(ρ) = readout(E_ρ[statistics]), and B(ρ) ≥ 0 is safe (B.1).

Along dx = u dt + √2 dW each mean changes by E[∇f·u + Δf] (B.3), so the chain rule through the readout gives
dB/dt for any B; value, gradient and Itô term are written once, in the filters. Letters: k statistics, m
constraints.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, nn, torch
from barriers.declared import declares
from barriers.derivatives import jacobian
from barriers.surrogates import Surrogate


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


def of_each(evaluate: Callable[[Tensor], Any], x: Float[Tensor, "*r n d"]) -> Any:
    """A function of particles [n, d] at those of one cloud or of several: each of the tensors it returns has
    the axes of the clouds first.
    """
    if x.dim() == 2:
        return evaluate(x)
    found = evaluate(x.flatten(0, -2))
    if isinstance(found, Tensor):
        return found.reshape(*x.shape[:-1], *found.shape[1:])
    return tuple(part.reshape(*x.shape[:-1], *part.shape[1:]) for part in found)


def side_by_side(parts: Sequence[Float[Tensor, "n *s"]]) -> Float[Tensor, "n k *s"]:
    """What each statistic is at every particle, as one tensor with the statistics first in memory: sums over
    the particles then run along it.
    """
    if len(parts) == 1:
        return parts[0].unsqueeze(1)
    return torch.stack(tuple(parts)).transpose(0, 1)


class Barrier(nn.Module, ABC):
    """m inequality constraints on a distribution, through k statistics.

    limits: the largest allowed value of each observed quantity, [m], float64; B = limits − observed.
    batched: whether `readout` also takes the means of several clouds, [r, k], each by itself; a class that
    defines another readout declares it again, as does one for which `subtracts` is true: its readout is
    limits − mean.
    """

    limits: Tensor
    batched = False
    subtracts = False

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
    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        """B from the means of the statistics, differentiable; ≥ 0 is safe. [r, k] only where `batched`."""

    def counted(self) -> Counted | None:
        """The particles whose number B ≥ 0 bounds; None where it bounds no number of particles."""
        return None

    def of_distance(self) -> tuple[Surrogate, Callable[[Tensor], Tensor]] | None:
        """Of a single statistic φ(s), φ and s(x); None where there are several, or it is no such function."""
        return None

    def barriers(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        """`readout` of one cloud, or of each of several by itself."""
        if mean.dim() == 1 or declares(self, "batched", "readout"):
            return self.readout(mean)
        return torch.stack([self.barriers(own) for own in mean])

    def observed(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        """limits − B, which must not exceed `limits`; for a mass barrier E φ itself."""
        return mean if declares(self, "subtracts", "readout") else self.limits - self.barriers(mean)

    def jacobian(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m k"]:
        """∂readout/∂mean, by automatic differentiation unless it is −1."""
        if declares(self, "subtracts", "readout"):
            minus = -torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
            return minus.expand(*mean.shape, mean.shape[-1])
        return jacobian(self.barriers, mean)
