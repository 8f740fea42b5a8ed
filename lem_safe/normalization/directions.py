"""Directions in which an energy is followed away from its mass, and its gain along each (C.4).

Directions are the axes and random ones; each is evaluated as far out as floating-point numbers resolve the
difference of its two parts, so no unit and no scale matters. Sixteen more descend on the shells and follow
U's valleys outwards, straight ones (a narrow penalty) and curved ones (a banana's ridge, along which U grows
more slowly than along any ray). About 10,000 evaluations of analytic terms; networks count by their confining
terms, so none is evaluated.
"""

from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import jacobian, value_and_gradient
from lem_safe.energies.growth import Growth
from lem_safe.keys import Key
from lem_safe.normalization.asymptotics import Far

RAYS, SHELLS, DOUBLING = 256, (1.0, 4.0, 16.0, 1e2, 1e4, 1e8, 1e16), 2.0
"""Random rays; the shells T at which growth is evaluated, each up to twice as far."""
VISIBLE = 1e-11
"""The smallest relative difference of the two parts that is not rounding: below it a nearer shell is used."""
VALLEYS, DECADES, DESCENT, CURVED = 16, 5, 30, 64
"""Points that follow valleys, the decades of T they cover, and the steps in each; dimensions above CURVED get
fewer.
"""
ROUNDING = 1e-15
"""Relative to U on a shell, per dimension: smaller values at the bottom of a valley count as 0."""


class Judged(NamedTuple):
    """One direction: its ends, what U gained and lost, what it needed, and the multiple of the loss that it
    admits.
    """

    near: Float[Tensor, "k d"]
    far: Float[Tensor, "k d"]
    grown: Growth
    needed: float
    admitted: Float[Tensor, "k"]
    floor: float
    """The gain that U must have not to be refused: all that is needed along a ray; along a valley, which may
    narrow, more than rounding.
    """

    @property
    def falls(self) -> Tensor:
        """Where U does not gain enough; ∞ − ∞ is not decided."""
        return self.grown.net <= self.floor


def rays_of(dimension: int) -> Tensor:
    """Both directions of every axis and random ones; only a few random ones in many dimensions, where valleys
    are more informative.
    """
    few = dimension > CURVED
    random = (
        Key(0).fold("rays").normal(torch.empty(RAYS // 4 if few else RAYS, dimension, dtype=torch.float64))
    )
    axes = torch.eye(dimension, dtype=torch.float64)[: 0 if few else dimension]
    return torch.cat([axes, -axes, random / random.norm(dim=1, keepdim=True)])


def straight(far: Far, rays: Tensor) -> Judged:
    """Every ray at the farthest shell where its two parts can be distinguished."""
    T = torch.full_like(rays[:, 0], SHELLS[0])
    grown = Growth(*(torch.full_like(T, torch.nan) for _ in range(2)))
    admitted, needed = grown.up, far.needed(DOUBLING)
    for shell in SHELLS:
        there = far.grown(shell, DOUBLING, rays)
        told = ~there.net.isnan()
        admitted = torch.where(told & (there.down > 0), (there.up - needed) / there.down, admitted)
        told &= (there.net.abs() > VISIBLE * there.size) | ~there.size.isfinite() | grown.up.isnan()
        grown = Growth(*(torch.where(told, new, old) for new, old in zip(there, grown, strict=True)))
        T = torch.where(told, shell, T)
    near, beyond = (
        torch.stack([far.at(k * t, v[None])[0] for t, v in zip(T.tolist(), rays, strict=True)])
        for k in (1.0, DOUBLING)
    )
    return Judged(near, beyond, grown, needed, admitted, needed)


def valleys(far: Far, rays: Tensor) -> Judged:
    """The lowest directions, descended on every shell and continued to the next, evaluated over the last
    decade.

    The nearer end is the lower one of a point's position and of its extrapolation: a point that arrives late
    has not fallen.
    """
    v = torch.cat([_bends(far, rays), _lowest(far, rays)])
    admitted: list[Tensor] = []
    for decade in range(1, DECADES + 1):
        T, before = 10.0**decade, v
        v = _descended(far, T, v)
        with torch.no_grad():
            start, other, end = far.growth(T / 10, before), far.growth(T / 10, v), far.growth(T, v)
            late = other.net < start.net
            start = Growth(*(torch.where(late, b, a) for a, b in zip(start, other, strict=True)))
            grown, needed = end.minus(start), far.needed(10.0)
            ratio = torch.where(grown.down > 0, (grown.up - needed) / grown.down, torch.nan)
            admitted.append(ratio)
    with torch.no_grad():
        rounding = (
            ROUNDING * far.energy.dimension * float(far.growth(T, rays).size.nan_to_num(torch.inf).median())
        )
    hopeless = admitted[-1] < admitted[-2] / 3
    return Judged(
        far.at(T / 10, before),
        far.at(T, v),
        grown,
        needed,
        torch.where(hopeless, 0.0, admitted[-1]),
        min(needed, rounding),
    )


@torch.no_grad()
def _lowest(far: Far, rays: Tensor) -> Tensor:
    kept = VALLEYS if far.energy.dimension <= CURVED else VALLEYS // 4
    return rays[_height(far, 10.0, rays).argsort()[:kept]]


def _height(far: Far, T: float, v: Tensor) -> Tensor:
    """U on a shell; ∞ where it is NaN."""
    return far.growth(T, v).net.nan_to_num(torch.inf, torch.inf, -torch.inf)


def _bends(far: Far, rays: Tensor) -> Tensor:
    """Both ends of the directions of smallest curvature of U on a far shell: exact for a quadratic U, however
    narrow.
    """
    d = far.energy.dimension
    if d > CURVED or d == 1:
        return rays[:0]

    def slope(v: Tensor) -> Tensor:
        return value_and_gradient(lambda v: far.growth(1e3, v).net, v[None])[1][0]

    with torch.enable_grad():
        H = jacobian(slope, rays[2 * d].clone().requires_grad_())
    if not bool(H.isfinite().all()):
        return rays[:0]
    Q = torch.linalg.eigh((H + H.T) / 2).eigenvectors[:, : VALLEYS // 2].T
    return torch.cat([Q, -Q])


@torch.no_grad()
def _descended(far: Far, T: float, v: Tensor) -> Tensor:
    """Descends on the shell by steps of an angle along the slope, which grow after each descent and shrink
    after each failure.
    """
    angle = torch.full_like(v[:, :1], 0.3)
    for _ in range(DESCENT):
        value, slope = value_and_gradient(lambda v: far.growth(T, v).net, v)
        slope = slope.nan_to_num(0.0, 0.0, 0.0)
        slope = slope / slope.abs().amax(1, keepdim=True).clamp(min=1e-300)
        slope = slope - (slope * v).sum(1, keepdim=True) * v
        there = torch.nn.functional.normalize(v - angle * torch.nn.functional.normalize(slope, eps=1e-300))
        lower = (_height(far, T, there) < value)[:, None]
        v, angle = torch.where(lower, there, v), torch.where(lower, 1.5 * angle, 0.4 * angle).clamp(max=1.0)
    return v
