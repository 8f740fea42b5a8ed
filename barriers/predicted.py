"""The probability that a particle is inside a set after the noise: P(y + Lξ ∈ 𝒰) with ξ standard normal
(Q.5).

half-space, slab, box   differences and products of normal distribution functions: exact (a box: where the
                        noise is isotropic)
ball                    the part of the noise across the radius adds its mean, (d − 1)σ², to the squared
                        distance, and half its variance
polytope                the product over its faces, as if they were perpendicular
speed, acceleration     each vector as the complement of a ball, and 1 − Π(1 − Pᵢ) of all
union, intersection     1 − Π(1 − Pᵢ) and ΠPᵢ, as if the boundaries were perpendicular; exact for the
                        complement of what is exact
any other set           Φ(−s/σ‖∇s‖), the half-space that touches it to first order; whether it is inside where
                        s is flat

`exact` states which; the error of the others is for the caller to correct (`PredictiveFilter` estimates it
during the run). Kinks are allowed: nothing here is differentiated twice, so there is no surface term to miss
(B.5).
"""

from collections.abc import Callable, Iterator
from functools import singledispatch

from jaxtyping import Float

from barriers.arrays import Tensor, ndtr, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import value_and_gradient
from barriers.noise import DENSITY, Noise, beyond, in_shell, reach_of
from barriers.sets.algebra import AllOf, AnyOf, Not
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.box import Box
from barriers.sets.columns import Columns
from barriers.sets.faceted import Faceted
from barriers.sets.half_space import HalfSpace
from barriers.sets.learned import Predicate
from barriers.sets.lengths import Lengths
from barriers.sets.pull import FirstOrder, Projected, Pulled
from barriers.sets.slab import Slab
from barriers.squares import squared_norm

MANY = 1024
"""Where a set is too far away, the chance of so many rows or more is not computed."""


class Chance:
    """The probability of being inside after the noise, and its gradient in y, [*n] and [*n, d]; the gradient
    may be computed when it is first asked for: most searches end with a value.
    """

    def __init__(self, value: Tensor, gradient: Tensor | Callable[[], Tensor]):
        self.value, self._gradient = value, gradient

    @property
    def gradient(self) -> Tensor:
        """The gradient of each chance."""
        if not isinstance(self._gradient, Tensor):
            self._gradient = self._gradient()
        return self._gradient

    def __iter__(self) -> Iterator[Tensor]:
        """The value, then the gradient."""
        yield self.value
        yield self.gradient


@singledispatch
def chance(unsafe: UnsafeSet, y: Float[Tensor, "n d"], noise: Noise) -> Chance:
    """P(y + Lξ ∈ unsafe) and its gradient, at every row."""
    s, ds = value_and_gradient(unsafe, y)
    value, gradient = _beyond(s, ds, noise.along(ds))
    flat = (ds == 0).all(1) & (s == 0)  # where a rule is 0 on one side, and its sign is uninformative
    return Chance(
        torch.where(flat, unsafe.contains(y).to(value), value) if bool(flat.any()) else value, gradient
    )


@singledispatch
def exact(unsafe: UnsafeSet, noise: Noise) -> bool:
    """Whether `chance` of this set is the exact probability."""
    return False


def with_distances(unsafe: UnsafeSet) -> UnsafeSet:
    """The set itself; raises NotSmooth where any part of it is known by membership only."""
    for part in unsafe.modules():
        if isinstance(part, Predicate):
            part.refuse()
    return unsafe


@chance.register
def _chance_in_half_space(unsafe: HalfSpace, y: Tensor, noise: Noise) -> Chance:
    n = unsafe.normal.to(y.dtype)
    n = n / n.norm()
    return _beyond(unsafe(y), (-n).expand_as(y), noise.along(n))


@chance.register
def _chance_in_ball(unsafe: Ball, y: Tensor, noise: Noise) -> Chance:
    if noise.factor is not None:
        return chance.dispatch(UnsafeSet)(unsafe, y, noise)
    reach, σ = reach_of(unsafe.radius, y.shape[1], noise)

    def evaluated(y: Tensor) -> Chance:
        offset, ρ = unsafe.offset(y)
        value, slope = in_shell(ρ, reach, σ)
        return Chance(value, lambda: (slope() / ρ)[:, None] * offset)

    return evaluated(y) if noise.every else _near(unsafe, y, σ, evaluated)


@chance.register
def _chance_in_lengths(unsafe: Lengths, y: Tensor, noise: Noise) -> Chance:
    return _any_length(unsafe, y, noise, None)


@chance.register
def _chance_in_first_order(unsafe: FirstOrder, y: Tensor, noise: Noise) -> Chance:
    match unsafe.original:
        case Lengths() as limit if unsafe.coordinates.affine:
            return _any_length(limit, y, noise, unsafe.coordinates)
        case Not(inner=Lengths() as limit) if unsafe.coordinates.affine:
            inside = _any_length(limit, y, noise, unsafe.coordinates)
            return Chance(1 - inside.value, -inside.gradient)
        case _:
            return chance.dispatch(UnsafeSet)(unsafe, y, noise)


def _any_length(limit: Lengths, y: Tensor, noise: Noise, map_: Coordinates | None) -> Chance:
    """That any vector is too long or too short, as if they were independent."""
    d = y.shape[1]
    through = torch.eye(d, dtype=y.dtype, device=y.device) if map_ is None else map_.matrix.to(y.dtype)
    through = through if noise.factor is None else through @ noise.factor.to(y.dtype)
    maps = limit.vectors(through.T)
    spread = torch.einsum("dgk,dgl->gkl", maps, maps)

    all_around = noise.std**2 * spread.diagonal(dim1=1, dim2=2).sum(1)

    def safe(z: Tensor) -> Tensor:
        v = limit.vectors(z if map_ is None else map_(z))
        ρ = (squared_norm(v) + torch.finfo(v.dtype).tiny).sqrt()
        σ2 = noise.std**2 * torch.einsum("ngk,gkl,ngl->ng", v, spread, v) / ρ.square()
        σ2 = torch.where(σ2 > 0, σ2, all_around / v.shape[-1])
        across = (all_around - σ2).clamp(min=0)
        chances = torch.ones_like(ρ)
        if limit.longest is not None:
            chances = _in_ball(ρ, limit.longest, σ2, across, v.shape[-1] - 1)
        if limit.shortest is not None:
            chances = chances - _in_ball(ρ, limit.shortest, σ2, across, v.shape[-1] - 1)
        return chances.clamp(min=0).prod(-1)

    value, gradient = value_and_gradient(safe, y)
    return Chance(1 - value, -gradient)


def _in_ball(ρ: Tensor, r: float, along: Tensor, across: Tensor, k: int) -> Tensor:
    """As for a ball, of vectors of length ρ whose noise has a variance of its own along each, and one across
    it that is the sum over k directions.
    """
    σ = (along + across.square() / (2 * r * r * max(k, 1))).sqrt()
    reach = (r * r - across).clamp(min=0).sqrt()
    return ndtr((reach - ρ) / σ) - ndtr((reach + ρ) / -σ)


@chance.register
def _chance_in_slab(unsafe: Slab, y: Tensor, noise: Noise) -> Chance:
    n, σ = unsafe.normal.to(y.dtype), noise.along(unsafe.normal.to(y.dtype))
    value, slope = _between(y @ n, unsafe.lower, unsafe.upper, σ)
    return Chance(value, slope[:, None] * n)


@chance.register
def _chance_in_box(unsafe: Box, y: Tensor, noise: Noise) -> Chance:
    lower, upper = unsafe.lower.to(y.dtype), unsafe.upper.to(y.dtype)
    axes = (
        torch.eye(y.shape[1], dtype=y.dtype, device=y.device)
        if unsafe.axes is None
        else unsafe.axes.to(y.dtype)
    )
    center = (lower + upper) / 2
    each, slope = _between((y - center) @ axes.T, lower - center, upper - center, noise.along(axes))
    value, others = _product(each)
    return Chance(value, (others * slope) @ axes)


@chance.register
def _chance_in_faceted(unsafe: Faceted, y: Tensor, noise: Noise) -> Chance:
    n = unsafe.planes()[0].to(y.dtype)
    σ = noise.along(n)
    f = unsafe.faces(y) / σ
    value, others = _product(ndtr(-f))
    return Chance(value, unsafe.blend(-others * _density(f) / σ))


@chance.register
def _chance_in_not(unsafe: Not, y: Tensor, noise: Noise) -> Chance:
    inner = chance(unsafe.inner, y, noise)
    return Chance(1 - inner.value, lambda: -inner.gradient)


@chance.register
def _chance_in_all_of(unsafe: AllOf, y: Tensor, noise: Noise) -> Chance:
    value, gradient = (
        torch.stack(part, 1) for part in zip(*(chance(s, y, noise) for s in unsafe.members()), strict=True)
    )
    together, others = _product(value)
    return Chance(together, (others[:, :, None] * gradient).sum(1))


@chance.register
def _chance_in_any_of(unsafe: AnyOf, y: Tensor, noise: Noise) -> Chance:
    value, gradient = (
        torch.stack(part, 1) for part in zip(*(chance(s, y, noise) for s in unsafe.members()), strict=True)
    )
    none, others = _product(1 - value)
    return Chance(1 - none, (others[:, :, None] * gradient).sum(1))


@chance.register
def _chance_in_pulled(unsafe: Pulled, y: Tensor, noise: Noise) -> Chance:
    return chance(unsafe.level, y, noise)


@chance.register
def _chance_in_projected(unsafe: Projected, y: Tensor, noise: Noise) -> Chance:
    w = unsafe.directions.to(y.dtype)
    inner = chance(unsafe.inner, y @ w.T, noise.seen_through(w))
    return Chance(inner.value, lambda: inner.gradient @ w)


@chance.register
def _chance_in_columns(unsafe: Columns, y: Tensor, noise: Noise) -> Chance:
    w = torch.eye(y.shape[1], dtype=y.dtype, device=y.device)[unsafe.index]
    inner = chance(unsafe.inner, y[:, unsafe.index], noise.seen_through(w))
    return Chance(inner.value, lambda: inner.gradient @ w)


exact.register(HalfSpace)(lambda unsafe, noise: True)
exact.register(Slab)(lambda unsafe, noise: True)
exact.register(Box)(lambda unsafe, noise: noise.factor is None)
exact.register(Not)(lambda unsafe, noise: exact(unsafe.inner, noise))
exact.register(Pulled)(lambda unsafe, noise: exact(unsafe.level, noise))
exact.register(Projected)(lambda unsafe, noise: exact(unsafe.inner, noise))
exact.register(Columns)(lambda unsafe, noise: exact(unsafe.inner, noise))


def _beyond(s: Tensor, ds: Tensor, σ: Tensor) -> Chance:
    """Φ(−s/σ): a half-space at signed distance s whose noise has standard deviation σ."""
    t = s / σ
    return Chance(ndtr(-t), lambda: (-_density(t) / σ)[..., None] * ds)


def _between(a: Tensor, lower: Tensor | float, upper: Tensor | float, σ: Tensor) -> tuple[Tensor, Tensor]:
    """P(lower ≤ a + σξ ≤ upper) and its derivative in a."""
    high, low = (upper - a) / σ, (lower - a) / σ
    flip = low > 0  # differences of the smaller tails keep their digits
    value = ndtr(torch.where(flip, -low, high)) - ndtr(torch.where(flip, -high, low))
    return value, (_density(low) - _density(high)) / σ


def _near(unsafe: UnsafeSet, y: Tensor, σ: float, evaluated: Callable[[Tensor], Chance]) -> Chance:
    """`evaluated` where the set is within BEYOND σ, and 0 elsewhere, if that is most of many rows."""
    if len(y) < MANY or 2 * len(rows := (unsafe(y) < beyond(y.dtype) * σ).nonzero()[:, 0]) > len(y):
        return evaluated(y)
    value, gradient = evaluated(y[rows])
    zero = y.new_zeros(len(y))
    return Chance(zero.index_copy(0, rows, value), torch.zeros_like(y).index_copy(0, rows, gradient))


def _product(p: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
    """Πp and, for each factor, the product of the others."""
    one = torch.ones_like(p[:, :1])
    before = torch.cat([one, p.cumprod(1)], 1)
    after = torch.cat([p.flip(1).cumprod(1).flip(1), one], 1)
    return before[:, -1], before[:, :-1] * after[:, 1:]


def _density(t: Tensor) -> Tensor:
    """The standard normal density."""
    return DENSITY * (-0.5 * t * t).exp()
