"""The ball {‖x − c‖ ≤ r}: s = ‖x − c‖ − r, ∇s = (x − c)/‖x − c‖, Δs = (d − 1)/‖x − c‖."""

from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, positive, vector
from barriers.sets.exact import ULP, integers, settle
from barriers.small import numbers_of, rows_of, squares
from barriers.squares import FEW, squared_norm


class Ball(UnsafeSet):
    """Everything within `radius` of `center`."""

    exact = True
    clearance = True
    smooth = True
    has_gradient = True
    example: ClassVar[dict[str, object]] = {"kind": "ball", "center": [0.5, -0.3], "radius": 0.8}
    center: Tensor

    def __init__(
        self,
        center: Annotated[list[float], Doc("The centre, one number per column.")],
        radius: Annotated[float, Gt(0), Doc("The radius, in the data's units.")],
    ):
        super().__init__()
        self.register_buffer("center", vector("Ball", "center", center))
        self.radius = positive("Ball", "radius", radius)
        self.dimension = len(center)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.offset(x)[1] - self.radius

    def offset(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n"]]:
        """x − c and its length."""
        offset = x - self.center.to(x.dtype)
        return offset, self._norm(offset)

    def with_gradient(self, x: Float[Tensor, "*n d"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n d"]]:
        few = self._few(x)
        if few is not None:
            return self._few_with_gradient(few, self.tiny(x.dtype))
        offset, ρ = self.offset(x)
        return ρ - self.radius, offset * ρ.reciprocal()[..., None]

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        few = self._few(x)
        found = None if few is None else self._settled(few)
        if found is not None:
            return found
        x = x.double()
        return settle(x, *self.compared(x - self.center.double(), self.radius), self._exactly)

    def _few(self, x: Float[Tensor, "*n d"]) -> Float[np.ndarray, "n d"] | None:
        """The numbers of a small cloud of few coordinates; None of any other."""
        return numbers_of(x) if x.dim() == 2 and 0 < (self.dimension or 0) <= FEW else None

    @np.errstate(all="ignore")
    def _few_with_gradient(self, x: Float[np.ndarray, "n d"], tiny: float) -> tuple[Tensor, Tensor]:
        columns = np.array(x.T, order="C")
        columns -= self.middle(x.dtype, 2)
        length = squares(columns)
        length += tiny
        torch.from_numpy(length).sqrt_()  # whose rounding is not numpy's
        columns *= 1 / length
        length -= self.radius
        return torch.from_numpy(length), rows_of(columns)

    @np.errstate(all="ignore")
    def _settled(self, x: Float[np.ndarray, "n d"]) -> Bool[Tensor, "n"] | None:
        """Which rows are inside; None where float64 does not decide that of all (A.8)."""
        columns = np.array(x.T, dtype=np.float64, order="C")
        for column, middle in zip(columns, self.center.tolist(), strict=True):
            column -= middle
        q, squared = squares(columns), self.radius**2
        error = (len(columns) + 8) * ULP * squared
        surely, possibly = q <= squared - error, q <= squared + error
        return torch.from_numpy(surely) if surely.tobytes() == possibly.tobytes() else None

    @staticmethod
    def compared(
        offset: Float[Tensor, "*n d"], radius: float | Float[Tensor, "*n"]
    ) -> tuple[Bool[Tensor, "*n"], Bool[Tensor, "*n"]]:
        """Which rows, offsets from a centre in float64, are surely inside, and which may be (A.8)."""
        q, squared = squared_norm(offset), radius**2
        error = (offset.shape[-1] + 8) * ULP * squared
        return q <= squared - error, q <= squared + error

    def _exactly(self, rows: Float[Tensor, "k d"]) -> np.ndarray:
        X, c, r = integers(rows, self.center, self.radius)
        return ((X - c) ** 2).sum(1) <= r**2

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        offset, ρ = self.offset(x)
        return Jet(ρ - self.radius, offset / ρ[:, None], (x.shape[1] - 1) / ρ)

    def middle(self, dtype: np.dtype[Any], axes: int) -> Float[np.ndarray, "d ..."]:
        """The centre, as it is subtracted from positions [d, ...] of this dtype with so many axes."""
        center = self._buffers["center"]
        assert center is not None
        return center.numpy(force=True).astype(dtype).reshape(-1, *[1] * (axes - 1))

    def _norm(self, offset: Tensor) -> Tensor:
        """‖offset‖, smoothed within 1e-6 radii of the centre, so that derivatives stay finite there."""
        return (squared_norm(offset) + self.tiny(offset.dtype)).sqrt()

    def tiny(self, dtype: torch.dtype) -> float:
        """What is added to the squared distance from the centre for that: `smoothing`."""
        return smoothing(dtype, self.radius)


@lru_cache(maxsize=256)
def smoothing(dtype: torch.dtype, radius: float) -> float:
    """What is added to squared distances from the centre of a ball, for finite derivatives there."""
    number = torch.finfo(dtype)
    return max(number.eps * 1e-2 * radius**2, number.tiny)
