"""A set that no path may enter. x is a trajectory of T waypoints of k coordinates, concatenated and joined by
straight segments; of several agents [T, A, k], each joined to its own next waypoint.

points     x is unsafe where a waypoint is inside: s(x) = min_t s_inner(x_t); the nearest safe trajectory
           moves one waypoint only
segments   where any point between two waypoints is: s(x) = min over segments and τ of s_inner(x_t + τ(x_{t+1}
           − x_t))     (B.12)

The second contains the first, and adding a waypoint on a segment changes nothing. Its s has the sign of
`contains` and never exceeds the distance, since moving the whole path by δ moves each of its points by at
most δ. At the τ of the smallest s, ∇ is that of s_inner at that point, divided between the two waypoints as 1
− τ and τ; inside a segment its component along the segment vanishes (envelope theorem).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from annotated_types import Ge
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar, recorded, transforming, value_and_gradient
from barriers.sets.algebra import AllOf, Not, complement
from barriers.sets.base import UnsafeSet, of_sign
from barriers.sets.columns import Columns
from barriers.sets.segments import at, exactly, lowest, meets
from barriers.sets.waypoints import AGENTS, Between
from barriers.specification import Context
from barriers.squares import squared_norm


class Anywhere(UnsafeSet):
    """`set`, applied to every waypoint of a trajectory and to the segments between them; the dimension of
    `set` must divide the number of columns.
    """

    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "anywhere",
        "set": {"kind": "slab", "normal": [1.0], "lower": -0.2, "upper": 0.7},
    }

    def __init__(
        self,
        set: Annotated[UnsafeSet, Doc("A region for a single waypoint.")],
        columns: Annotated[Sequence[str], Context("columns")],
        between: Annotated[
            Between,
            Doc(
                "segments: a trajectory is also unsafe if a straight line between two "
                "waypoints meets the region; points: only the waypoints count."
            ),
        ] = "segments",
        agents: Annotated[int, Ge(1), Doc(AGENTS)] = 1,
    ):
        super().__init__()
        whole = (set.dimension or 0) * agents
        if set.dimension is None or whole < 1 or len(columns) % whole:
            times = f" times {agents} agents" if agents > 1 else ""
            raise ValueError(
                f"Anywhere: set must have a dimension that{times} divides {len(columns)} columns; it has "
                f"{set.dimension}"
            )
        self.inner, self.size, self.dimension, self.columns = set, set.dimension, len(columns), tuple(columns)
        self.between, self.agents = between, agents
        self.joined = between == "segments" and len(columns) > set.dimension * agents
        """Whether segments are checked."""
        self.exact = set.exact and set.dimension == len(columns)
        self.clearance = set.clearance and not self.joined

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        if not self.joined:
            return self.inner(self.waypoints(x)).amin(-1)
        a, b = self.ends(x)
        inside, t = self._lowest(a, b)
        return of_sign(self._level(a, b, t), inside).reshape(*x.shape[:-1], -1).amin(-1)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        if not self.joined:
            return self.inner.contains(self.waypoints(x)).any(-1)
        return meets(self.inner, *self.ends(x))[0].reshape(*x.shape[:-1], -1).any(-1)

    def segments_inside(self, x: Float[Tensor, "n d"]) -> Bool[Tensor, "n s"]:
        """Which segments of each trajectory meet the region."""
        return meets(self.inner, *self.ends(x))[0].reshape(len(x), -1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        if not self.joined:
            s, g, lap = self.jets(x)
            value, t = s.min(1)
            active = torch.nn.functional.one_hot(t, s.shape[1]).to(x.dtype)
            return Jet(value, (active[..., None] * g).flatten(1), (active * lap).sum(1))
        return self._jet_along(x)

    def jets(
        self, x: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, "n t"], Float[Tensor, "n t k"], Float[Tensor, "n t"]]:
        """The inner jet at every waypoint."""
        j = self.inner.jet(self.waypoints(x).reshape(-1, self.size))
        shape = (len(x), -1)
        return j.value.reshape(shape), j.gradient.reshape(*shape, self.size), j.laplacian.reshape(shape)

    def at_each(self, inner: UnsafeSet) -> list[UnsafeSet]:
        """`inner` on every waypoint, as separate sets."""
        k = self.size
        return [Columns(list(range(t, t + k)), inner, self.columns) for t in range(0, len(self.columns), k)]

    def around(self, inner: UnsafeSet) -> "Anywhere":
        """Another set along every path."""
        return Anywhere(inner, self.columns, self.between, self.agents)

    def waypoints(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n t k"]:
        """The waypoints of each trajectory."""
        return x.reshape(*x.shape[:-1], -1, self.size)

    def ends(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "s k"], Float[Tensor, "s k"]]:
        """The ends of every segment of every trajectory, time after time those of each agent."""
        w, agents = self.waypoints(x), self.agents
        return w[..., :-agents, :].reshape(-1, self.size), w[..., agents:, :].reshape(-1, self.size)

    @property
    def looked(self) -> str:
        """What of a path is checked, in words."""
        if not self.joined:
            return "points"
        return "segments, exactly" if exactly(self.inner) else "segments, every 1/256 of each"

    def _lowest(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each segment meets the set, and the τ of its smallest s; in a graph τ follows the ends: ∂τ
        = −∂(∂_τ s)/∂²_τ s.
        """
        inside, t = lowest(self.inner, a, b)
        if not recorded(a, b):
            return inside, t
        t = t.to(a.dtype)
        p, e = at(a, b, t), b - a
        slope, (curved, bend, _) = (
            _along(self.inner, p, e),
            _bent(self.inner, p.detach(), e.detach(), (t > 0) & (t < 1)),
        )
        return inside, t - torch.where(curved, (slope - slope.detach()) / torch.where(curved, bend, 1.0), 0.0)

    def _level(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """s at t of each segment, differentiable; within a segment the component along it is removed."""
        p = at(a, b, t)
        s = self.inner(p)
        if not recorded(p):
            return s
        e, inward = b - a, ((t > 0) & (t < 1)).to(p.dtype)
        along = inward * _along(self.inner, p, e) / squared_norm(e).clamp(min=torch.finfo(e.dtype).tiny)
        return s - ((p - p.detach()) * (along[:, None] * e)).sum(1)

    def _jet_along(self, x: Float[Tensor, "n d"]) -> Jet:
        """The jet of the segment with the smallest s. Where τ is interior, Δ loses ‖∂_x∂_τ s‖²/∂²_τ s, as τ
        follows x.
        """
        a, b = self.ends(x)
        inside, t = self._lowest(a, b)
        n, segments = len(x), len(a) // max(len(x), 1)
        value, k = of_sign(self._level(a, b, t), inside).reshape(n, segments).min(1)
        chosen = torch.arange(n, device=x.device) * segments + k
        a, b, t = a[chosen], b[chosen], t[chosen].to(x.dtype)
        p, e = at(a, b, t), b - a
        inner, free = self.inner.jet(p), (t > 0) & (t < 1)
        g, lap = inner.gradient, ((1 - t).square() + t.square()) * inner.laplacian
        square = e.square().sum(1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
        curved, bend, turned = _bent(self.inner, p, e, free)
        cross = squared_norm((1 - t)[:, None] * turned - g) + squared_norm(t[:, None] * turned + g)
        lap = torch.where(curved, lap - cross / torch.where(curved, bend, 1.0), lap)
        g = torch.where(free[:, None], g - (g * e).sum(1, keepdim=True) / square * e, g)
        gradient = x.new_zeros(n, segments + self.agents, self.size)
        rows = torch.arange(n, device=x.device)
        gradient[rows, k] = (1 - t)[:, None] * g
        gradient[rows, k + self.agents] = t[:, None] * g
        return Jet(value, gradient.flatten(1), lap)


class Nowhere(UnsafeSet):
    """The complement of `anywhere` along segments: paths that never enter the set; where a rule has no value,
    a point may be outside.
    """

    exact = False
    smooth = False

    def __init__(self, unsafe: Anywhere):
        super().__init__()
        definitely = unsafe.inner if exactly(unsafe.inner) else Not(complement(unsafe.inner))
        self.unsafe, self.entered, self.dimension = unsafe, unsafe.around(definitely), unsafe.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return -self.entered(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~self.entered.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return Jet(*(-part for part in self.entered.jet(x)))


class SoftAnywhere(UnsafeSet):
    """−w log Σ_t e^{−s_t/w}, all waypoints at once; `around` holds the softened inner set (B.5)."""

    exact = False
    smooth = True

    def __init__(self, hard: Anywhere, around: Anywhere, width: Scalar):
        super().__init__()
        self.hard, self.around, self.width, self.dimension = hard, around, width, hard.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self._union(self.around.inner(self.around.waypoints(x)))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        s, g, lap = self.around.jets(x)
        p = torch.softmax(-s / self.width, 1)
        gradient = p[..., None] * g
        spread = (p * (1 - p) * squared_norm(g)).sum(1)
        return Jet(self._union(s), gradient.flatten(1), (p * lap).sum(1) - spread / self.width)

    def _union(self, s: Tensor) -> Tensor:
        return -self.width * torch.logsumexp(-s / self.width, -1)


def _along(inner: UnsafeSet, p: Tensor, e: Tensor) -> Tensor:
    """∇s·e at every point, differentiable."""
    if transforming(p):
        return (value_and_gradient(inner, p)[1] * e).sum(1)
    with torch.enable_grad():
        s = inner(p)
        if not s.requires_grad:
            return torch.zeros_like(p[:, 0])
        (g,) = torch.autograd.grad(s.sum(), p, create_graph=True)
    return (g * e).sum(1)


def _bent(inner: UnsafeSet, p: Tensor, e: Tensor, free: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where s is curved along a segment at an interior τ, how much (e·∇²s e), and ∇²s e itself."""
    _, turned = value_and_gradient(lambda q: _along(inner, q, e), p)
    bend = (e * turned).sum(1)
    return free & (bend > 1e-6 * e.norm(dim=1)), bend, turned


@complement.register
def _complement_of_anywhere(unsafe: Anywhere) -> UnsafeSet:
    return Nowhere(unsafe) if unsafe.joined else AllOf(unsafe.at_each(complement(unsafe.inner)))


@complement.register
def _complement_of_nowhere(unsafe: Nowhere) -> UnsafeSet:
    return unsafe.unsafe
