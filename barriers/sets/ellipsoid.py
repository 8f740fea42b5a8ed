"""The ellipsoid {Σ(uᵢ/aᵢ)² ≤ 1}, u = R(x − c), with its true signed distance.

The closest boundary point is aᵢ²uᵢ/(t + aᵢ²), t the largest root of Σ(aᵢuᵢ/(t + aᵢ²))² = 1, and s = t‖m‖ with
mᵢ = uᵢ/(t + aᵢ²), ∇s = m/‖m‖. The root is found in τ = t + min a², where the secular function 1/‖aᵢmᵢ‖ − 1 is
increasing and concave: Newton from the left never overshoots (as in trust-region solvers). Two more Newton
increasing and concave: Newton from the left never overshoots (as in trust-region solvers). Two more
differentiable Newton steps from the detached root carry derivatives up to the third. Every uᵢ² is replaced by
uᵢ² + (ε min a)²: the point is lifted off the axes, where the closest point is not unique; points that the
lift moves across the boundary count as on it.

The distance has a kink on the medial axis, inside; it is convex there, so a drift filter that ignores it
over-estimates the Itô term. Outside the argument is reversed, so the complement is softened to min a·(1 −
gauge), which is at least s on the safe side.
"""

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, Scalar, autodiff_jet, recorded
from barriers.sets.algebra import Not
from barriers.sets.base import UnsafeSet, of_sign, positive, vector
from barriers.sets.base import rotation as orthogonal
from barriers.sets.exact import settle
from barriers.sets.gauge import slack, whole_shares
from barriers.sets.soft import soften_complement
from barriers.squares import squared_norm

LIFT = 1e-6
"""ε: moves s by at most about ε² semi-axes."""


FAR = 1e60
"""Semi-axes are at most 1e18, so from this distance on ‖u‖ is the distance."""


class Ellipsoid(UnsafeSet):
    """Everything within an ellipsoid of the given semi-axes."""

    exact = True
    clearance = True
    smooth = True
    example: ClassVar[dict[str, object]] = {
        "kind": "ellipsoid",
        "center": [0.3, -0.2],
        "radii": [1.2, 0.5],
        "rotation": [[0.8, 0.6], [-0.6, 0.8]],
    }
    center: Tensor
    radii: Tensor
    axes: Tensor | None

    def __init__(
        self,
        center: Annotated[list[float], Doc("The centre, one number per column.")],
        radii: Annotated[
            list[Annotated[float, Gt(0)]], Doc("The semi-axes, one number per column, in the data's units.")
        ],
        rotation: Annotated[
            list[list[float]] | None,
            Doc(
                "The directions of the semi-axes, one per row, orthonormal; by default those of the columns."
            ),
        ] = None,
    ):
        super().__init__()
        c, a = vector("Ellipsoid", "center", center), vector("Ellipsoid", "radii", radii)
        if a.shape != c.shape:
            raise ValueError(f"Ellipsoid: radii must have one number per column ({len(c)}); got {len(a)}")
        positive("Ellipsoid", "radii", float(a.min()))
        self.register_buffer("center", c)
        self.register_buffer("radii", a)
        self.register_buffer("axes", None if rotation is None else orthogonal("Ellipsoid", rotation, len(c)))
        self.dimension, self.rounding = len(c), 2 * LIFT**2 * float(a.max())

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        u, far = _nearer(self.local(x))
        a2, gap, q = self._constants(u)
        τ = _root(a2 * q, gap)
        for _ in range(2):
            τ = _newton(τ, a2 * q, gap)
        t = τ - a2.amin()
        return of_sign(far * t * (q / (τ[..., None] + gap).square()).sum(-1).sqrt(), self.contains(x)).to(
            x.dtype
        )

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        gauge = squared_norm(self.local(x) / self.radii.double()).sqrt()
        error = slack(x.double() - self.center.double(), self.radii.double(), self.axes)
        return settle(x.double(), gauge <= 1 - error, ~(gauge > 1 + error), self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        u, one = whole_shares(rows, self.center, self.radii, self.axes)
        return (u**2).sum(1) <= one**2

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        u, far = _nearer(self.local(x))
        a2, gap, q = self._constants(u)
        τ = _root(a2 * q, gap)
        if recorded(q):  # the jet's own derivatives: one order more than a detached root has
            τ = _newton(_newton(τ, a2 * q, gap), a2 * q, gap)
        r = 1 / (τ[:, None] + gap)
        m = u * r
        length = (q * r**2).sum(-1, keepdim=True).sqrt()
        dτ = a2 * u * r**2 / (a2 * q * r**3).sum(-1, keepdim=True)
        # ∂ᵢ(mᵢ/‖m‖), summed: mᵢ depends on uᵢ and on τ, as does ‖m‖.
        dm = r - u * r**2 * dτ
        dlength = (u * r**2 - (q * r**3).sum(-1, keepdim=True) * dτ) / length
        laplacian = (dm / length - m * dlength / length**2).sum(-1) / far
        gradient = m / length if self.axes is None else (m / length) @ self.axes.double()
        value = of_sign(far * (τ - a2.amin()) * length[:, 0], self.contains(x))
        return Jet(value.to(x.dtype), gradient.to(x.dtype), laplacian.to(x.dtype))

    def local(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x relative to the centre, in the ellipsoid's own axes, in float64."""
        u = x.double() - self.center.double()
        if self.axes is None:
            return u
        half = 2.0 ** -len(self.center).bit_length()  # no intermediate sum of the rotated columns overflows
        return ((u * half) @ self.axes.double().T) / half

    def _constants(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a², a² − min a², and the lifted squares of u."""
        a2 = self.radii.double().square()
        return a2, a2 - a2.amin(), u.square() + LIFT**2 * a2.amin()


class Gauge(UnsafeSet):
    """min a·(1 − ‖u/a‖) with a rounded tip: the smooth level of an ellipsoid's complement."""

    exact = False
    smooth = True

    def __init__(self, inner: Ellipsoid, width: Scalar):
        super().__init__()
        self.inner, self.dimension = inner, inner.dimension
        self.scale = float(inner.radii.min())
        self.round = min(0.5 * width / self.scale, 0.5)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        inner = self.inner
        gauge2 = squared_norm(inner.local(x) / inner.radii.double())
        return (self.scale * ((1 + self.round**2) ** 0.5 - (gauge2 + self.round**2).sqrt())).to(x.dtype)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~self.inner.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)


@soften_complement.register
def _soft_outside_ellipsoid(inner: Ellipsoid, width: Scalar) -> UnsafeSet:
    round_enough = inner.radii.max() <= inner.radii.min() * (1 + 1e-12)
    return Not(inner) if round_enough else Gauge(inner, width)


def _nearer(u: Tensor) -> tuple[Tensor, Tensor]:
    """u/f and f ≥ 1: rows too far for their squares are scaled to FAR, where every ellipsoid is a point in
    float64.
    """
    largest = torch.finfo(u.dtype).max
    u = u.clamp(-largest, largest)
    f = (u.detach().abs().amax(-1) / FAR).clamp(min=1)
    return u / f[..., None], f


def _newton(τ: Tensor, aq: Tensor, gap: Tensor) -> Tensor:
    """One Newton step for 1/√Φ = 1, Φ = Σ aq/(τ + gap)²."""
    r = 1 / (τ[..., None] + gap)
    Φ, slope = (aq * r**2).sum(-1), (aq * r**3).sum(-1)
    return τ + Φ * (Φ.sqrt() - 1) / slope


@torch.no_grad()
def _root(aq: Tensor, gap: Tensor) -> Tensor:
    """The root τ > 0, detached: Newton from the left, with each row fixed once it stops moving (so that
    results do not depend on the batch).
    """
    τ = torch.where(gap == 0, aq, 0.0).sum(-1).sqrt()
    moving = torch.ones_like(τ, dtype=torch.bool)
    for _ in range(60):
        new = _newton(τ, aq, gap)
        moving = moving & (new > τ * (1 + 1e-15))
        if not moving.any():
            break
        τ = torch.where(moving, new, τ)
    return τ
