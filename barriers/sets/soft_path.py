"""`anywhere` along segments for a drift filter: twice differentiable, and bounded from the safe side (B.5,
B.12).

Each segment has K pieces with ends p_j, and s_inner is 1-Lipschitz, so nowhere on a piece of length ℓ/K is s
below (s_j + s_{j+1} − ℓ/K)/2:

anywhere     −w log Σ_j e^{−m_j/w},  m_j = (s_j + s_{j+1} − ℓ/K)/2     at most the least s of the path
its complement  w log Σ_j e^{c_j/w} − w log(number of p_j)              at most the largest −s of the path

with s_j, c_j the softened inner set and complement, and ℓ replaced by √(ℓ² + w²), which has no kink. In
coordinates z ↦ x everything is divided by the largest factor by which they scale a waypoint: a level with the
right sign, never larger than a distance in z.
"""

import math

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import Jet, Scalar, autodiff_jet
from barriers.sets.algebra import complement
from barriers.sets.anywhere import Anywhere, Nowhere, SoftAnywhere
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.regularity import lipschitz
from barriers.sets.soft import soften
from barriers.squares import squared_norm

PIECES = 8
"""K: the number of pieces of a segment that are bounded separately."""


class SoftPath(UnsafeSet):
    """Paths through (sign −1), or completely outside (sign +1), a softened set; membership is
    that of `hard`.
    """

    exact = False
    smooth = True

    def __init__(
        self, hard: UnsafeSet, path: Anywhere, width: Scalar, sign: int, coordinates: Coordinates | None
    ):
        super().__init__()
        if not lipschitz(path.inner):
            raise NotSmooth(
                "anywhere: along segments a drift filter needs a region with a distance, which "
                f"{type(path.inner).__name__} is not; "
                "use the filter `step` or `gate`, or between: points"
            )
        self.hard, self.path, self.sign, self.dimension, self.coordinates = (
            hard,
            path,
            sign,
            hard.dimension,
            coordinates,
        )
        self.factor = 1.0 if coordinates is None else _stretch(coordinates, path.size)
        self.width = width * self.factor
        self.soft = soften(path.inner if sign < 0 else complement(path.inner), self.width)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        w = self.path.waypoints(x if self.coordinates is None else self.coordinates(x))
        agents = self.path.agents
        before, after = w[..., :-agents, :], w[..., agents:, :]
        a, e = before[..., None, :], (after - before)[..., None, :]
        t = torch.arange(PIECES + 1, dtype=x.dtype, device=x.device)[:, None] / PIECES
        s = self.soft(a + t * e)
        if self.sign > 0:
            inside = s.flatten(-2)
            return self._extremum(inside) - self.width * math.log(inside.shape[-1]) / self.factor
        length = (squared_norm(e[..., 0, :]) + self.width**2).sqrt()[..., None] / PIECES
        return self._extremum(((s[..., :-1] + s[..., 1:] - length) / 2).flatten(-2))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)

    def _extremum(self, s: Tensor) -> Tensor:
        return self.sign * self.width * torch.logsumexp(self.sign * s / self.width, -1) / self.factor


def _stretch(coordinates: Coordinates, size: int) -> float:
    """The largest distance by which any waypoint moves where z moves by 1."""
    blocks = coordinates.matrix.double().split(size)
    return max(float(torch.linalg.matrix_norm(block, 2)) for block in blocks)


@soften.register
def _soft_anywhere(unsafe: Anywhere, width: Scalar) -> UnsafeSet:
    if unsafe.joined:
        return SoftPath(unsafe, unsafe, width, -1, None)
    return SoftAnywhere(unsafe, unsafe.around(soften(unsafe.inner, width)), width)


@soften.register
def _soft_nowhere(unsafe: Nowhere, width: Scalar) -> UnsafeSet:
    return SoftPath(unsafe, unsafe.unsafe, width, +1, None)
