"""The Gaussian noise of one step, and the chance that it takes a particle into a ball (Q.5).

The part of the noise across the radius adds its mean, (d − 1)σ², to the squared distance, and half its
variance to that along it: the particle is inside where |ρ + σ'ξ| is at most a reach.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch

DENSITY = 0.3989422804014327
SQRT2 = 1.4142135623730951
"""1/√(2π), and √2: Φ(t) = erfc(−t/√2)/2, which keeps its digits far outside, as torch's ndtr does not."""
BEYOND = {torch.float32: 5.5}
"""So many standard deviations away (8.5 in other dtypes) a set is too far away for a chance of this dtype: in
float32 Φ is known to 6e-8, and Φ(−5.5) is 2e-8.
"""


class Noise(NamedTuple):
    """Gaussian noise of one step: std · L ξ, L the identity where no factor is given.

    every: of many particles too, the chance of each is computed, however far from the set.
    """

    std: float
    factor: Float[Tensor, "d d"] | None = None
    every: bool = False

    def along(self, directions: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        """The standard deviation of the noise along directions, times their lengths."""
        if self.factor is not None:
            directions = directions @ self.factor.to(directions.dtype)
        return (
            self.std
            * directions.square()
            .sum(-1)
            .clamp(min=1e-60 if directions.dtype == torch.float64 else 1e-30)
            .sqrt()
        )

    def seen_through(self, directions: Float[Tensor, "k d"]) -> "Noise":
        """The noise of W x, for W with orthonormal rows."""
        if self.factor is None:
            return self
        w = directions.to(self.factor.dtype) @ self.factor
        return self._replace(factor=torch.linalg.cholesky(w @ w.T))


def reach_of(radius: float, d: int, noise: Noise) -> tuple[float, float]:
    """The radius and the standard deviation along it, as a particle at distance ρ is inside where
    |ρ + σξ| is at most the radius.
    """
    r, across, σ2 = radius, d - 1, noise.std**2
    return max(r * r - across * σ2, 0.0) ** 0.5, noise.std * (1 + across * σ2 / (2 * r * r)) ** 0.5


@lru_cache(maxsize=64)
def _ends(reach: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 1"]:
    return torch.tensor([[-reach], [reach]], dtype=dtype, device=device)


def in_shell(
    ρ: Float[Tensor, "n"], reach: float, σ: float
) -> tuple[Float[Tensor, "n"], Callable[[], Float[Tensor, "n"]]]:
    """P(|ρ + σξ| ≤ reach), and what computes its derivative in ρ."""
    z = (ρ + _ends(reach, ρ.dtype, ρ.device)) / (SQRT2 * σ)
    far, near = torch.special.erfc(z).unbind()

    def slope() -> Tensor:
        φ_far, φ_near = (z * z).neg_().exp_().unbind()
        return (φ_near - φ_far) * (DENSITY / σ)

    return (far - near).mul_(0.5), slope


def beyond(dtype: torch.dtype) -> float:
    """How many standard deviations away a set is too far away for a chance of this dtype."""
    return BEYOND.get(dtype, 8.5)
