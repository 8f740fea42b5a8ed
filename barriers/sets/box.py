"""The box {lower ≤ x ≤ upper}, turned about its own centre if asked.

With qᵢ = |yᵢ| − hᵢ, y the offset from the centre in the box's own axes and h its half-widths: s = ‖q₊‖
outside, max qᵢ inside; ∇s = q₊/‖q₊‖ (signs of y) and Δs = (k − 1)/‖q₊‖ where k of the qᵢ are positive, the
nearest face's normal and 0 inside.
"""

from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import rotation as orthogonal
from barriers.sets.base import vector
from barriers.sets.exact import TINY, ULP, integers, settle
from barriers.sets.faceted import Faceted
from barriers.squares import squared_norm


class Box(Faceted):
    """Every column between its lower and its upper bound, both included."""

    exact = True
    clearance = True
    smooth = False
    example: ClassVar[dict[str, object]] = {"kind": "box", "lower": [-0.5, -1.0], "upper": [1.0, 0.5]}
    lower: Tensor
    upper: Tensor
    axes: Tensor | None

    def __init__(
        self,
        lower: Annotated[list[float], Doc("The lower bound of every column.")],
        upper: Annotated[
            list[float], Doc("The upper bound of every column; each must be above its lower bound.")
        ],
        rotation: Annotated[
            list[list[float]] | None,
            Doc("Rotates the box about its centre: the rows are the axes of the box, orthonormal."),
        ] = None,
    ):
        super().__init__()
        low, high = vector("Box", "lower", lower), vector("Box", "upper", upper)
        if low.shape != high.shape:
            raise ValueError(
                f"Box: lower and upper must be equally long; got {len(low)} and {len(high)} numbers"
            )
        if not (low < high).all():
            i = int((low >= high).nonzero()[0])
            raise ValueError(
                f"Box: lower must be less than upper; entry {i} has {float(low[i]):g} and {float(high[i]):g}"
            )
        self.register_buffer("lower", low)
        self.register_buffer("upper", high)
        self.register_buffer("axes", None if rotation is None else orthogonal("Box", rotation, len(low)))
        self.dimension = len(low)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        below, above = self._sides(x)
        q = torch.maximum(below, above)
        square = squared_norm(q.clamp(min=0))
        outside = square > 0
        return torch.where(outside, torch.where(outside, square, 1.0).sqrt(), q.amax(-1))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x, lower, upper = x.double(), self.lower.double(), self.upper.double()
        if self.axes is None:
            return ((lower <= x) & (x <= upper)).all(-1)
        middle, half = lower / 2 + upper / 2, upper / 2 - lower / 2
        y = ((x - middle) @ self.axes.double().T).abs()
        reach = y.amax(-1, keepdim=True) * x.shape[-1] + middle.abs().max() + half.max()
        error = 4 * (x.shape[-1] + 8) * ULP * reach + 16 * TINY
        return settle(x, (y <= half - error).all(-1), ~(y > half + error).any(-1), self._exactly)

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        """|Rᵢ(2x − l − u)| ≤ uᵢ − lᵢ in every axis of the box."""
        assert self.axes is not None
        X, R, low, high, one = integers(rows, self.axes, self.lower, self.upper, 1.0)
        return (abs((2 * X - low - high) @ R.T) <= (high - low) * one).all(1)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        below, above = self._sides(x)
        q, sign = torch.maximum(below, above), torch.where(above >= below, 1.0, -1.0).to(x.dtype)
        beyond = q.clamp(min=0)
        ρ = squared_norm(beyond).sqrt()
        outside, ρ_safe = ρ > 0, torch.where(ρ > 0, ρ, 1.0)
        nearest, face = q.max(-1)
        inward = torch.nn.functional.one_hot(face, x.shape[1]).to(x.dtype)
        gradient = sign * torch.where(outside[:, None], beyond / ρ_safe[:, None], inward)
        corners = ((q > 0).sum(-1) - 1).to(x.dtype) / ρ_safe
        return Jet(
            torch.where(outside, ρ, nearest),
            gradient if self.axes is None else gradient @ self.axes.to(x.dtype),
            torch.where(outside, corners, 0.0),
        )

    def faces(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        return torch.cat(self._sides(x), -1)

    def blend(self, weights: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        below, above = weights.chunk(2, -1)
        return above - below if self.axes is None else (above - below) @ self.axes.to(weights.dtype)

    def planes(self) -> tuple[Float[Tensor, "k d"], Float[Tensor, "k"]]:
        lower, upper = self.lower.double(), self.upper.double()
        axes = (
            torch.eye(len(lower), dtype=torch.float64, device=lower.device)
            if self.axes is None
            else self.axes.double()
        )
        middle = axes @ ((lower + upper) / 2) - (lower + upper) / 2
        return torch.cat([-axes, axes]), torch.cat([-(lower + middle), upper + middle])

    def _sides(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """How far below its lower and above its upper bound every coordinate is, in the box's own axes."""
        lower, upper = self.lower.to(x.dtype), self.upper.to(x.dtype)
        if self.axes is not None:
            center = (lower + upper) / 2
            x = center + (x - center) @ self.axes.T.to(x.dtype)
        return lower - x, x - upper
