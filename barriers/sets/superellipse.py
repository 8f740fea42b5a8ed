"""The superellipse {Σ|uᵢ/aᵢ|^p ≤ 1}, u = R(x − c): rounder than a box, squarer than an ellipsoid.

Its gauge g = (Σ|uᵢ/aᵢ|^p)^{1/p} has Lipschitz constant at most L = max(1, d^{1/p − 1/2})/min a, so s = (g −
1)/L is a bound: never farther from 0 than the distance. Twice differentiable for p ≥ 2.
"""

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.base import UnsafeSet, of_sign, positive, vector
from barriers.sets.base import rotation as orthogonal
from barriers.sets.exact import settle
from barriers.sets.gauge import slack, whole_shares

WHOLE, DIGITS = 64, 60
"""Powers up to this are compared in integers where they are whole; others, where float64 does not decide, to
this many decimal digits.
"""


class Superellipse(UnsafeSet):
    """Everything within a superellipse of the given semi-axes: power 2 is an ellipsoid, a large power nearly
    a box.
    """

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "superellipse",
        "center": [0.1, 0.2],
        "radii": [1.0, 0.6],
        "power": 4.0,
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
        power: Annotated[
            float,
            Ge(1),
            Doc("The exponent p: 1 is a diamond, 2 an ellipsoid; the larger p, the closer to a box."),
        ] = 4.0,
        rotation: Annotated[
            list[list[float]] | None,
            Doc(
                "The directions of the semi-axes, one per row, orthonormal; by default those of the columns."
            ),
        ] = None,
    ):
        super().__init__()
        c, a = vector("Superellipse", "center", center), vector("Superellipse", "radii", radii)
        if a.shape != c.shape:
            raise ValueError(f"Superellipse: radii must have one number per column ({len(c)}); got {len(a)}")
        positive("Superellipse", "radii", float(a.min()))
        if not 1 <= power < float("inf"):
            raise ValueError(f"Superellipse: power must be at least 1 and finite; got {power:g}")
        self.register_buffer("center", c)
        self.register_buffer("radii", a)
        self.register_buffer(
            "axes", None if rotation is None else orthogonal("Superellipse", rotation, len(c))
        )
        self.power, self.dimension, self.smooth = float(power), len(c), power >= 2
        self.scale = float(a.min()) / max(1.0, len(c) ** (1 / power - 0.5))

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        # |u|² is lifted by 1e-16: two derivatives on the axes and at the centre; in logarithms no power
        # overflows. Points that the lift moves across the boundary count as on it.
        log_u = 0.5 * (self._local(x).square() + 1e-16).log()
        s = self.scale * ((self.power * log_u).logsumexp(-1) / self.power).expm1()
        return of_sign(s, self.contains(x)).to(x.dtype)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        w = self._local(x).abs()
        most = w.amax(-1)
        shares = w / most.clamp(min=torch.finfo(w.dtype).tiny)[..., None]  # at most 1: no power overflows
        gauge = most * shares.pow(self.power).sum(-1).pow(1 / self.power)
        error = slack(x.double() - self.center.double(), self.radii.double(), self.axes)
        return settle(x.double(), gauge <= 1 - error, ~(gauge > 1 + error), self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        u, one = whole_shares(rows, self.center, self.radii, self.axes)
        if self.power == int(self.power) and self.power <= WHOLE:
            return (abs(u) ** int(self.power)).sum(1) <= one ** int(self.power)
        with localcontext(Context(prec=DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])):
            p = Decimal(self.power)
            sums = [sum((Decimal(abs(v)) / one) ** p for v in row) for row in u.tolist()]
            return np.array([total <= 1 + Decimal(10) ** (5 - DIGITS) for total in sums])

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)

    def _local(self, x: Tensor) -> Tensor:
        u = x.double() - self.center.double()
        return (u if self.axes is None else u @ self.axes.double().T) / self.radii.double()
