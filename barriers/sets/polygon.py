"""A polygon in the plane, holes and islands too: inside where a ray crosses the rings an odd number of times
(even–odd rule).

|s| is the distance to the nearest edge, |n·(x − a)| beside an edge (n its normal) and ‖x − v‖ beyond its
ends; its sign is that of `contains`, regardless of rounding. As rings neither cross nor share a stretch (see
`rings`), every edge is boundary. The nearest edge is found without gradients, in blocks of rows, so memory is
O(n) and derivatives use one edge per row.
"""

from typing import Annotated, ClassVar, NamedTuple

from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, lost
from barriers.sets.crossings import PAIRS, inside_rings
from barriers.sets.rings import Edges, edges_of, ring
from barriers.squares import squared_norm


class _Nearest(NamedTuple):
    """Per row, in float64, so that a point close to a long edge is on the correct side in float32 too."""

    offset: Tensor
    """x minus the start of its nearest edge, or minus the nearest end of it."""
    normal: Tensor
    """The normal of that edge that points out of the set where x is."""
    beside: Tensor
    """Whether the nearest point lies within the edge."""
    length: Tensor
    """‖offset‖, smoothed next to 0, so that derivatives stay finite at a corner."""
    sign: Tensor
    """−1 inside, +1 outside."""


class Polygon(UnsafeSet):
    """The inside of a closed ring of points, without its holes; the boundary belongs to the set. Rings may
    touch but must not cross.
    """

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
    after: Tensor
    """The edge that follows each edge in its ring."""

    def __init__(
        self,
        vertices: Annotated[
            list[list[float]], Doc("The corners in order, three or more; the last is joined to the first.")
        ],
        holes: Annotated[
            list[list[list[float]]] | None, Doc("Rings cut out of it; a ring inside a hole is filled again.")
        ] = None,
    ):
        super().__init__()
        edges = edges_of(
            [ring("vertices", vertices), *(ring(f"holes[{i}]", hole) for i, hole in enumerate(holes or []))]
        )
        self.register_buffer("start", torch.from_numpy(edges.start))
        self.register_buffer("end", torch.from_numpy(edges.end))
        self.register_buffer("edge", torch.from_numpy(edges.end - edges.start))
        self.register_buffer("after", torch.from_numpy(edges.after()))
        n = torch.stack([self.edge[:, 1], -self.edge[:, 0]], 1) / self.edge.norm(dim=1, keepdim=True)
        self.register_buffer("normal", n * _outward(edges)[:, None])
        lengths = self.edge.norm(dim=1)
        self.resolution = lost(float(lengths.max()), float(lengths.min()))
        self.dimension = 2

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return _value(self._nearest(x.reshape(-1, 2))).to(x.dtype).reshape(x.shape[:-1])

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        points = x.detach().double().reshape(-1, 2)
        return inside_rings(points, self.start.double(), self.end.double()).reshape(x.shape[:-1])

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        near = self._nearest(x)
        curvature = near.sign / near.length
        gradient = torch.where(near.beside[:, None], near.normal, curvature[:, None] * near.offset)
        laplacian = torch.where(near.beside, 0.0, curvature)
        return Jet(_value(near).to(x.dtype), gradient.to(x.dtype), laplacian.to(x.dtype))

    def _nearest(self, x: Float[Tensor, "n 2"]) -> _Nearest:
        with torch.no_grad():
            points = x.double()
            chosen = torch.cat(
                [self._edge_of(block) for block in points.split(max(PAIRS // len(self.start), 1))]
            )
            a, e = self.start[chosen].double(), self.edge[chosen].double()
            t = ((points - a) * e).sum(-1) / squared_norm(e)
            beside = (t > 0) & (t < 1)
            origin = torch.where((t >= 1)[:, None], a + e, a)
            inside = self.contains(points)
            n = self.normal[chosen].double()
            turned = (
                ((points - origin) * n).sum(-1) > 0
            ) == inside  # the edge of a sliver, or rounding next to one
            n = torch.where((turned & beside)[:, None], -n, n)
            sign = torch.where(inside, -1.0, 1.0).double()
        offset = x.double() - origin
        return _Nearest(
            offset, n, beside, (squared_norm(offset) + torch.finfo(x.dtype).tiny ** 0.5).sqrt(), sign
        )

    def _edge_of(self, x: Tensor) -> Tensor:
        a, e = self.start.double(), self.edge.double()
        offset = x[:, None] - a
        t = (offset * e).sum(-1) / squared_norm(e)
        return squared_norm(offset - t.clamp(0, 1)[..., None] * e).argmin(1)


def _value(near: _Nearest) -> Float[Tensor, "n"]:
    """s, with the sign of membership, since the normal points out of the set where x is."""
    return torch.where(near.beside, (near.offset * near.normal).sum(-1), near.sign * near.length)


def _outward(edges: Edges) -> Float[Tensor, "e"]:
    """1 where the right of an edge, seen along it, is outside, else −1; the same for all edges of a ring, as
    rings do not cross.

    From a point next to a ring's longest edge, away from every other edge, a ray that leaves sideways crosses
    the others an odd number of times iff it begins inside.
    """
    start, end, rings = (
        torch.from_numpy(edges.start),
        torch.from_numpy(edges.end),
        torch.from_numpy(edges.ring),
    )
    along = end - start
    answers = torch.ones(len(rings), dtype=torch.float64)
    for k in range(int(rings.max()) + 1):
        longest = int(torch.where(rings == k, squared_norm(along), -1.0).argmax())
        up = int(
            along[longest, 1].abs() >= along[longest, 0].abs()
        )  # the axis along which the edge is steep; the ray takes the other one
        a, e = start[:, [1 - up, up]], along[:, [1 - up, up]]
        others = torch.arange(len(rings)) != longest
        p = _alone(a[longest], e[longest], a[others], e[others])
        o, low, high = p - a[others], a[others, 1], end[others, up]
        beyond = (e[others, 0] * o[:, 1] - e[others, 1] * o[:, 0] > 0) == (e[others, 1] > 0)
        inside = int((((low >= p[1]) != (high >= p[1])) & beyond).sum()) % 2 == 1
        right = (float(e[longest, 1]) > 0) == (up == 1)
        answers[rings == k] = -1.0 if inside == right else 1.0
    return answers


def _alone(
    a: Float[Tensor, "2"], e: Float[Tensor, "2"], starts: Float[Tensor, "k 2"], edges: Float[Tensor, "k 2"]
) -> Tensor:
    """Of a few points of one edge, a + te, the one furthest from all other edges, which may touch it."""
    points = (
        a + torch.tensor([0.5, 0.382, 0.618, 0.236, 0.764, 0.146, 0.854], dtype=torch.float64)[:, None] * e
    )
    o = points[:, None] - starts
    t = ((o * edges).sum(-1) / squared_norm(edges)).clamp(0, 1)
    return points[squared_norm(o - t[..., None] * edges).amin(1).argmax()]
