"""The capsule: everything within r of a segment. With o = x − its nearest point, ρ = ‖o‖: s = ρ − r, ∇s =
o/ρ.

ρ has a kink on the segment, so a drift filter uses ±(√(ρ² + w²) − √(r² + w²)), which has the right sign and
is never larger than s in size (B.5).
"""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import Not
from barriers.sets.base import UnsafeSet, lost, positive, vector
from barriers.sets.exact import ULP, integers, settle
from barriers.sets.soft import soften, soften_complement
from barriers.squares import squared_norm


class Capsule(UnsafeSet):
    """Everything within `radius` of the segment from `start` to `end`."""

    exact = True
    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {
        "kind": "capsule",
        "start": [-0.6, 0.2],
        "end": [0.9, -0.4],
        "radius": 0.5,
    }
    start: Tensor
    end: Tensor
    along: Tensor

    def __init__(
        self,
        start: Annotated[list[float], Doc("The point where the segment starts, one number per column.")],
        end: Annotated[list[float], Doc("The point where the segment ends; it must differ from the start.")],
        radius: Annotated[float, Gt(0), Doc("The radius around the segment, in the data's units.")],
    ):
        super().__init__()
        a, b = vector("Capsule", "start", start), vector("Capsule", "end", end)
        if a.shape != b.shape:
            raise ValueError(
                f"Capsule: start and end must be equally long; got {len(a)} and {len(b)} numbers"
            )
        if torch.equal(a, b):
            raise ValueError(
                f"Capsule: start and end must differ (a ball has one centre); got {start!r} twice"
            )
        self.register_buffer("start", a)
        self.register_buffer("end", b)
        self.register_buffer("along", b - a)
        self.length = float(self.along.norm())
        self.radius = positive("Capsule", "radius", radius)
        self.resolution = lost(self.length, self.radius)
        self.dimension = len(a)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        offset, _ = self.offset(x)
        return self._norm(offset) - self.radius

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x = x.double()
        offset, _ = self.offset(x)
        ρ = squared_norm(offset).sqrt()
        ulps = 8 * (x.shape[-1] + 8) * ULP  # of ρ, the radius and the length, which bound ‖x − a‖
        error, ρ_least = ulps * (self.radius + 2 * self.length), ρ * (1 - ulps)
        return settle(
            x, ρ <= self.radius - error - ulps * self.radius, ~(ρ_least > self.radius + error), self._exactly
        )

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        """With p = (x − a)·e and E = e·e: ‖x − a‖² ≤ r² before the start, ‖x − b‖² ≤ r² past the end, ‖x −
        a‖²E − p² ≤ r²E between.
        """
        X, a, b, r = integers(rows, self.start, self.end, self.radius)
        e, o = b - a, X - a
        p, E, q = (o * e).sum(1), (e * e).sum(), (o * o).sum(1)
        past = ((X - b) ** 2).sum(1)
        between = q * E - p * p <= r * r * E
        return np.where(p <= 0, q <= r * r, np.where(p >= E, past <= r * r, between))

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset, curved = self.offset(x)
        ρ = self._norm(offset)
        return Jet(ρ - self.radius, offset / ρ[:, None], (curved - 1) / ρ)

    def offset(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n"]]:
        """The vector from the segment's nearest point to x, and the number of directions in which ρ² is
        curved: d beyond an end, d − 1 beside.
        """
        a, e = self.start.to(x.dtype), self.along.to(x.dtype)
        t = ((x - a) @ e) / e.square().sum().clamp(min=torch.finfo(x.dtype).tiny)
        curved = x.shape[-1] - ((t > 0) & (t < 1)).to(x.dtype)
        return x - a - t.clamp(0, 1)[..., None] * e, curved

    def _norm(self, offset: Tensor) -> Tensor:
        """‖offset‖, smoothed within 1e-6 radii of the segment, so that derivatives stay finite there."""
        return (squared_norm(offset) + torch.finfo(offset.dtype).eps * 1e-2 * self.radius**2).sqrt()


class SoftCapsule(UnsafeSet):
    """A capsule (sign +1) or its complement (sign −1) with the crease along the segment rounded off;
    membership stays exact.
    """

    exact = False
    smooth = True

    def __init__(self, hard: UnsafeSet, capsule: Capsule, width: Scalar, sign: int):
        super().__init__()
        self.hard, self.capsule, self.width, self.sign, self.dimension = (
            hard,
            capsule,
            width,
            sign,
            hard.dimension,
        )
        self.shift = (capsule.radius**2 + width**2) ** 0.5

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        offset, _ = self.capsule.offset(x)
        return self.sign * ((squared_norm(offset) + self.width**2).sqrt() - self.shift)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.hard.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset, curved = self.capsule.offset(x)
        ρ2 = squared_norm(offset)
        r = (ρ2 + self.width**2).sqrt()
        return Jet(
            self.sign * (r - self.shift),
            self.sign * offset / r[:, None],
            self.sign * (curved / r - ρ2 / r**3),
        )


@soften.register
def _soft_capsule(unsafe: Capsule, width: Scalar) -> UnsafeSet:
    return SoftCapsule(unsafe, unsafe, width, +1)


@soften_complement.register
def _soft_outside_capsule(inner: Capsule, width: Scalar) -> UnsafeSet:
    return SoftCapsule(Not(inner), inner, width, -1)
