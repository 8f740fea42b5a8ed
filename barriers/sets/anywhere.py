"""A set that no waypoint may enter. x is a trajectory of T waypoints of k coordinates, one waypoint after the other.

x is unsafe where any waypoint is inside: s(x) = min_t s_inner(x_t), and the nearest safe trajectory moves one waypoint only, so
outside it is a distance where the inner one is.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import Doc

from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import AllOf, complement
from barriers.sets.base import UnsafeSet
from barriers.sets.columns import Columns
from barriers.sets.soft import soften
from barriers.specification import Context


class Anywhere(UnsafeSet):
    """`set`, applied to every waypoint of a trajectory: its dimension must divide the number of columns."""

    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "anywhere",
        "set": {"kind": "slab", "normal": [1.0], "lower": -0.2, "upper": 0.7},
    }

    def __init__(
        self,
        set: Annotated[UnsafeSet, Doc("A region over one waypoint.")],
        columns: Annotated[Sequence[str], Context("columns")],
    ):
        super().__init__()
        if set.dimension is None or len(columns) % set.dimension:
            raise ValueError(f"Anywhere: set must have a dimension that divides {len(columns)} columns; it has {set.dimension}")
        self.inner, self.size, self.dimension, self.columns = set, set.dimension, len(columns), tuple(columns)
        self.clearance = set.clearance
        self.exact = set.exact and set.dimension == len(columns)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(self._waypoints(x)).amin(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(self._waypoints(x)).any(-1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        s, g, lap = self.jets(x)
        value, t = s.min(1)
        active = torch.nn.functional.one_hot(t, s.shape[1]).to(x.dtype)
        return Jet(value, (active[..., None] * g).flatten(1), (active * lap).sum(1))

    def jets(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n t"], Float[Tensor, "n t k"], Float[Tensor, "n t"]]:
        """The inner jet at every waypoint."""
        j = self.inner.jet(self._waypoints(x).reshape(-1, self.size))
        shape = (len(x), -1)
        return j.value.reshape(shape), j.gradient.reshape(*shape, self.size), j.laplacian.reshape(shape)

    def at_each(self, inner: UnsafeSet) -> list[UnsafeSet]:
        """`inner` on every waypoint, as sets of their own."""
        k = self.size
        return [Columns(list(range(t, t + k)), inner, self.columns) for t in range(0, len(self.columns), k)]

    def around(self, inner: UnsafeSet) -> "Anywhere":
        """Another set at every waypoint."""
        return Anywhere(inner, self.columns)

    def _waypoints(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], -1, self.size)


class SoftAnywhere(UnsafeSet):
    """−w log Σ_t e^{−s_t/w}, all waypoints at once; `around` holds the softened inner set (B.5)."""

    exact = False
    smooth = True

    def __init__(self, hard: Anywhere, around: Anywhere, width: Scalar):
        super().__init__()
        self.hard, self.around, self.width, self.dimension = hard, around, width, hard.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._union(self.around.inner(self.around._waypoints(x)))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        s, g, lap = self.around.jets(x)
        p = torch.softmax(-s / self.width, 1)
        gradient = p[..., None] * g
        spread = (p * (1 - p) * g.square().sum(-1)).sum(1)
        return Jet(self._union(s), gradient.flatten(1), (p * lap).sum(1) - spread / self.width)

    def _union(self, s: Tensor) -> Tensor:
        return -self.width * torch.logsumexp(-s / self.width, -1)


@complement.register
def _outside(unsafe: Anywhere) -> UnsafeSet:
    return AllOf(unsafe.at_each(complement(unsafe.inner)))


@soften.register
def _soft(unsafe: Anywhere, width: Scalar) -> UnsafeSet:
    return SoftAnywhere(unsafe, unsafe.around(soften(unsafe.inner, width)), width)
