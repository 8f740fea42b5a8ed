"""The same set over sampler coordinates z, with distances in z.

Half-spaces, boxes, polytopes, balls and ellipsoids keep their kind under an affine map, so they use their own
distance in z. Every other leaf uses its first-order distance s/‖∇_z s‖: a level function is not a distance,
and a distance in data units is none after whitening; to first order at the boundary this is one, for any s.
The sign, and so the set, is unchanged, and membership remains that of the values as saved: `contains(z)`
maps, casts and evaluates the original set (A.1).

A set on k of d columns only needs k dimensions: z ↦ y = L⁻¹M_J z with M_J M_Jᵀ = LLᵀ has orthonormal rows, so
distances, gradients and Laplacians in y are those in z.
"""

from functools import singledispatch

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates, identity
from barriers.declared import declares
from barriers.derivatives import Jet, Scalar, float64_jet, value_and_gradient
from barriers.sets.algebra import AllOf, AnyOf, Not, complement
from barriers.sets.anywhere import Anywhere, Nowhere
from barriers.sets.ball import Ball
from barriers.sets.base import FARTHEST, UnsafeSet
from barriers.sets.class_region import ClassRegion
from barriers.sets.columns import Columns
from barriers.sets.ellipsoid import Ellipsoid
from barriers.sets.faceted import Faceted
from barriers.sets.half_space import HalfSpace
from barriers.sets.lengths import Lengths
from barriers.sets.occupancy import Occupancy
from barriers.sets.polytope import Polytope
from barriers.sets.regularity import lipschitz
from barriers.sets.rule import Rule
from barriers.sets.separation import Separation
from barriers.sets.soft import soften
from barriers.sets.soft_lengths import SoftLengths
from barriers.sets.soft_path import SoftPath
from barriers.squares import squared_norm

STEEPEST = 1e30
"""The largest scaling of a level: its second derivatives stay finite, and a rule's undefined rows stay near
0.
"""


class FirstOrder(UnsafeSet):
    """s/√(‖∇_z s‖² + s²/R²) of a leaf, over z, computed in float64: s/‖∇_z s‖ near the boundary, at most R =
    FARTHEST in size.
    """

    exact = False

    def __init__(self, original: UnsafeSet, coordinates: Coordinates):
        super().__init__()
        self.original, self.coordinates = original, coordinates
        self.smooth, self.dimension = original.smooth, coordinates.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        s, gradient = value_and_gradient(lambda z: self.original(self.coordinates(z)), x.double())
        return (s / (squared_norm(gradient) + (s / FARTHEST).square() + STEEPEST**-2).sqrt()).to(x.dtype)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.original.contains(self.coordinates.counted(x))

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return float64_jet(self, x)


class Projected(UnsafeSet):
    """A set over y = W z, W with orthonormal rows, as a set over z."""

    directions: Tensor

    def __init__(self, inner: UnsafeSet, directions: Float[Tensor, "k d"]):
        super().__init__()
        self.inner = inner
        self.register_buffer("directions", directions)
        self.exact, self.clearance, self.smooth, self.dimension = (
            inner.exact,
            inner.clearance,
            inner.smooth,
            directions.shape[1],
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(x @ self.directions.T.to(x.dtype))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(x.double() @ self.directions.T.double())

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        w = self.directions.to(x.dtype)
        inner = self.inner.jet(x @ w.T)
        return Jet(inner.value, inner.gradient @ w, inner.laplacian)


class Pulled(UnsafeSet):
    """A set over z with a level function over z and the membership of the original set over x."""

    has_gradient = True

    def __init__(self, original: UnsafeSet, level: UnsafeSet, coordinates: Coordinates):
        super().__init__()
        self.original, self.level, self.coordinates = original, level, coordinates
        self.exact, self.clearance, self.smooth, self.dimension = (
            level.exact,
            level.clearance,
            level.smooth,
            level.dimension,
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.level(x)

    def with_gradient(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n d"]]:
        if declares(self.level, "has_gradient", "forward"):
            found: tuple[Tensor, Tensor] = self.level.with_gradient(x)
            return found
        return value_and_gradient(self.level, x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.original.contains(self.coordinates.counted(x))

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return self.level.jet(x)


def pull(unsafe: UnsafeSet, coordinates: Coordinates) -> UnsafeSet:
    """`unsafe` as a set over sampler coordinates."""
    if not coordinates.affine:
        return FirstOrder(unsafe, coordinates)
    return Pulled(unsafe, level(unsafe, coordinates), coordinates)


@singledispatch
def level(unsafe: UnsafeSet, coordinates: Coordinates) -> UnsafeSet:
    """A set over z whose s has the sign of `unsafe`'s and, at its boundary, the slope of a distance."""
    if coordinates.identity and (unsafe.exact or unsafe.clearance):
        return unsafe
    return FirstOrder(unsafe, coordinates)


@level.register
def _level_of_any_of(unsafe: AnyOf, coordinates: Coordinates) -> UnsafeSet:
    return AnyOf([level(s, coordinates) for s in unsafe.members()])


@level.register
def _level_of_all_of(unsafe: AllOf, coordinates: Coordinates) -> UnsafeSet:
    return AllOf([level(s, coordinates) for s in unsafe.members()])


@level.register
def _level_of_not(unsafe: Not, coordinates: Coordinates) -> UnsafeSet:
    return complement(level(unsafe.inner, coordinates))


@level.register
def _level_of_anywhere(unsafe: Anywhere, coordinates: Coordinates) -> UnsafeSet:
    if unsafe.joined:
        return unsafe if coordinates.identity and lipschitz(unsafe.inner) else FirstOrder(unsafe, coordinates)
    if coordinates.identity:
        return unsafe.around(level(unsafe.inner, identity(unsafe.size, coordinates.saved_dtype)))
    return AnyOf([level(s, coordinates) for s in unsafe.at_each(unsafe.inner)])


@level.register
def _level_of_separation(unsafe: Separation, coordinates: Coordinates) -> UnsafeSet:
    # On segments it is a bound of the distance, and needs no other scale.
    return unsafe if coordinates.identity else FirstOrder(unsafe, coordinates)


@level.register
def _level_of_nowhere(unsafe: Nowhere, coordinates: Coordinates) -> UnsafeSet:
    return complement(level(unsafe.unsafe, coordinates))


@level.register
def _level_of_occupancy(unsafe: Occupancy, coordinates: Coordinates) -> UnsafeSet:
    # Its level is nearly a distance already, and bilinear: dividing by a slope that jumps between cells would
    # add jumps.
    return unsafe if coordinates.identity else FirstOrder(unsafe, coordinates)


@level.register
def _level_of_rule(unsafe: Rule, coordinates: Coordinates) -> UnsafeSet:
    return level(unsafe.tree, coordinates)


@level.register
def _level_of_class_region(unsafe: ClassRegion, coordinates: Coordinates) -> UnsafeSet:
    return level(unsafe.inner, coordinates)


@level.register
def _level_of_half_space(unsafe: HalfSpace, coordinates: Coordinates) -> UnsafeSet:
    if coordinates.identity:
        return unsafe
    n = unsafe.normal.double()
    normal, offset = coordinates.matrix.T @ n, unsafe.offset - float(n @ coordinates.offset)
    length = float(normal.norm())
    return HalfSpace((normal / length).tolist(), offset / length)


@level.register
def _level_of_faceted(unsafe: Faceted, coordinates: Coordinates) -> UnsafeSet:
    if coordinates.identity:
        return unsafe
    n, b = unsafe.planes()
    normals, offsets = n @ coordinates.matrix, b - n @ coordinates.offset
    lengths = normals.norm(dim=1)
    return Polytope((normals / lengths[:, None]).tolist(), (offsets / lengths).tolist())


@level.register
def _level_of_ball(unsafe: Ball, coordinates: Coordinates) -> UnsafeSet:
    if coordinates.identity:
        return unsafe
    if coordinates.scale is not None:
        return Ball(coordinates.inverse(unsafe.center.double()).tolist(), unsafe.radius / coordinates.scale)
    return _ellipsoid_in(unsafe.center, coordinates.matrix / unsafe.radius, coordinates)


@level.register
def _level_of_ellipsoid(unsafe: Ellipsoid, coordinates: Coordinates) -> UnsafeSet:
    if coordinates.identity:
        return unsafe
    m = coordinates.matrix if unsafe.axes is None else unsafe.axes.double() @ coordinates.matrix
    return _ellipsoid_in(unsafe.center, m / unsafe.radii.double()[:, None], coordinates)


def _ellipsoid_in(center: Tensor, stretch: Tensor, coordinates: Coordinates) -> Ellipsoid:
    """{z : ‖stretch (z − z_c)‖ ≤ 1}: its axes are the right singular vectors, its semi-axes the inverse
    singular values.
    """
    _, σ, axes = torch.linalg.svd(stretch)
    return Ellipsoid(coordinates.inverse(center.double()).tolist(), (1 / σ).tolist(), axes.tolist())


@level.register
def _level_of_columns(unsafe: Columns, coordinates: Coordinates) -> UnsafeSet:
    if coordinates.identity:
        return unsafe.around(level(unsafe.inner, identity(len(unsafe.index), coordinates.saved_dtype)))
    rows = coordinates.matrix[unsafe.index]
    lower = torch.linalg.cholesky(rows @ rows.T)
    local = Coordinates(coordinates.offset[unsafe.index], lower, coordinates.saved_dtype)
    return Projected(level(unsafe.inner, local), torch.linalg.solve_triangular(lower, rows, upper=False))


@complement.register
def _complement_of_pulled(unsafe: Pulled) -> UnsafeSet:
    return Pulled(complement(unsafe.original), complement(unsafe.level), unsafe.coordinates)


@complement.register
def _complement_of_first_order(unsafe: FirstOrder) -> UnsafeSet:
    return FirstOrder(complement(unsafe.original), unsafe.coordinates)


@complement.register
def _complement_of_projected(unsafe: Projected) -> UnsafeSet:
    return Projected(complement(unsafe.inner), unsafe.directions)


@soften.register
def _soft_pulled(unsafe: Pulled, width: Scalar) -> UnsafeSet:
    return Pulled(unsafe.original, soften(unsafe.level, width), unsafe.coordinates)


@soften.register
def _soft_first_order(unsafe: FirstOrder, width: Scalar) -> UnsafeSet:
    match unsafe.original:
        case Anywhere(joined=True) as path:
            return SoftPath(unsafe, path, width, -1, unsafe.coordinates)
        case Nowhere() as outside:
            return SoftPath(unsafe, outside.unsafe, width, +1, unsafe.coordinates)
        case Lengths() | Separation() as limit:
            return SoftLengths(unsafe, limit, width, -1, unsafe.coordinates)
        case Not(inner=Lengths() | Separation() as limit):
            return SoftLengths(unsafe, limit, width, +1, unsafe.coordinates)
        case _:
            return soften.dispatch(UnsafeSet)(unsafe, width)


@soften.register
def _soft_projected(unsafe: Projected, width: Scalar) -> UnsafeSet:
    return Projected(soften(unsafe.inner, width), unsafe.directions)
