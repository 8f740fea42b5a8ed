"""A polygon in the plane, holes and islands too: inside where a ray crosses the rings an odd number of times (even–odd rule).

s is the distance to the nearest edge, negative inside: n·(x − a) beside an edge (n its outward normal), ±‖x − v‖ beyond its ends.
The nearest edge is found without gradients, in blocks of rows, so memory is O(n) and derivatives see one edge a row.
"""

from typing import Annotated, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import Doc

from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, lost, matrix
from barriers.sets.crossings import PAIRS, inside_rings


class _Nearest(NamedTuple):
    offset: Tensor
    """x minus the start of its nearest edge, or minus the nearest end of it."""
    normal: Tensor
    beside: Tensor
    """Whether the nearest point lies within the edge."""
    sign: Tensor
    """−1 inside, +1 outside."""


class Polygon(UnsafeSet):
    """The inside of a closed ring of points, less its holes; the boundary belongs to it. Rings must not share an edge."""

    exact = True
    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "polygon",
        "vertices": [[-1.0, -1.0], [1.2, -0.8], [0.4, 0.1], [1.0, 1.1], [-0.9, 0.9]],
        "holes": [[[-0.6, -0.5], [-0.1, -0.5], [-0.3, 0.2]]],
    }
    start: Tensor
    end: Tensor
    edge: Tensor
    normal: Tensor

    def __init__(
        self,
        vertices: Annotated[list[list[float]], Doc("The corners in order, three or more; the last is joined to the first.")],
        holes: Annotated[
            list[list[list[float]]] | None, Doc("Rings cut out of it; a ring inside a hole is filled again.")
        ] = None,
    ):
        super().__init__()
        rings = [_ring("vertices", vertices), *(_ring(f"holes[{i}]", ring) for i, ring in enumerate(holes or []))]
        self.register_buffer("start", torch.cat(rings))
        self.register_buffer("end", torch.cat([ring.roll(-1, 0) for ring in rings]))
        self.register_buffer("edge", self.end - self.start)
        sides = {frozenset([tuple(a.tolist()), tuple(b.tolist())]) for a, b in zip(self.start, self.end, strict=True)}
        if len(sides) < len(self.start):
            raise ValueError("Polygon: rings must not share an edge, nor run along one twice; merge them into one ring")
        n = torch.stack([self.edge[:, 1], -self.edge[:, 0]], 1) / self.edge.norm(dim=1, keepdim=True)
        middle = self.start + self.edge / 2
        step = 1e-7 * self.edge.norm(dim=1, keepdim=True)
        self.register_buffer("normal", torch.where(inside_rings(middle + step * n, self.start, self.end)[:, None], -n, n))
        lengths = self.edge.norm(dim=1)
        self.resolution = lost(float(lengths.max()), float(lengths.min()))
        self.dimension = 2

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        near = self._nearest(x.reshape(-1, 2))
        beyond = near.sign * (near.offset.square().sum(-1) + torch.finfo(x.dtype).tiny ** 0.5).sqrt()
        return torch.where(near.beside, (near.offset * near.normal).sum(-1), beyond).reshape(x.shape[:-1])

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        points = x.detach().double().reshape(-1, 2)
        return inside_rings(points, self.start.double(), self.end.double()).reshape(x.shape[:-1])

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        near = self._nearest(x)
        ρ = (near.offset.square().sum(-1) + torch.finfo(x.dtype).tiny ** 0.5).sqrt()
        value = torch.where(near.beside, (near.offset * near.normal).sum(-1), near.sign * ρ)
        gradient = torch.where(near.beside[:, None], near.normal, near.sign[:, None] * near.offset / ρ[:, None])
        return Jet(value, gradient, torch.where(near.beside, 0.0, near.sign / ρ))

    def _nearest(self, x: Float[Tensor, "n 2"]) -> _Nearest:
        with torch.no_grad():
            points = x.double()
            chosen = torch.cat([self._edge_of(block) for block in points.split(max(PAIRS // len(self.start), 1))])
            a, e = self.start[chosen].double(), self.edge[chosen].double()
            t = ((points - a) * e).sum(-1) / e.square().sum(-1)
            beside = (t > 0) & (t < 1)
            origin = torch.where((t >= 1)[:, None], a + e, a).to(x.dtype)
            sign = torch.where(self.contains(points), -1.0, 1.0).to(x.dtype)
        return _Nearest(x - origin, self.normal[chosen].to(x.dtype), beside, sign)

    def _edge_of(self, x: Tensor) -> Tensor:
        a, e = self.start.double(), self.edge.double()
        offset = x[:, None] - a
        t = (offset * e).sum(-1) / e.square().sum(-1)
        return (offset - t.clamp(0, 1)[..., None] * e).square().sum(-1).argmin(1)


def _ring(name: str, points: object) -> Tensor:
    ring = matrix("Polygon", name, points)
    if ring.shape[1] != 2:
        raise ValueError(f"Polygon: {name} must hold pairs [x, y]; got rows of {ring.shape[1]} numbers")
    if len(ring) > 1 and torch.equal(ring[0], ring[-1]):
        ring = ring[:-1]
    if len(ring) < 3:
        raise ValueError(f"Polygon: {name} must have at least three different corners; got {len(ring)}")
    repeated = (ring == ring.roll(-1, 0)).all(1)
    if repeated.any():
        raise ValueError(f"Polygon: {name} must not repeat a corner; {ring[repeated][0].tolist()} stands twice in a row")
    return ring
