"""Sets of lengths: unsafe where any of several vectors y_g, differences of the waypoints of a path, is too
long or too short.

With ‖c‖ the norm of the coefficients of a difference,

s(x) = min_g min{(longest − ‖y_g‖)/‖c‖, (‖y_g‖ − shortest)/‖c‖}     (B.13)

A path that moves by δ changes y_g by at most ‖c‖‖δ‖, and the shortest move that changes y_g by r has exactly
the length r/‖c‖. So s is the distance wherever it is positive, and a bound inside, where several vectors may
be too long at once; with a single vector it is the distance inside too. At the limit itself a path is safe.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.derivatives import Jet
from barriers.sets.base import UnsafeSet, of_sign, positive
from barriers.sets.exact import TINY, ULP, integers, settle
from barriers.squares import squared_norm


class Lengths(UnsafeSet):
    """Unsafe where a vector is longer than above·dt^order, or shorter than below·dt^order."""

    clearance = True
    smooth = False
    order: int
    """How often waypoints are subtracted, and by which power of dt the result is divided."""
    coefficients: tuple[float, ...]
    """Those of one difference, along time."""

    def __init__(self, owner: str, above: float | None, below: float | None, dt: float):
        super().__init__()
        self.dt = positive(owner, "dt", dt)
        self.above = None if above is None else positive(owner, "above", above)
        self.below = None if below is None else positive(owner, "below", below)
        power = self.dt**self.order
        self.longest, self.shortest = (
            None if v is None else positive(owner, f"{name} times dt{'²' * (self.order > 1)}", v * power)
            for name, v in (("above", self.above), ("below", self.below))
        )
        self.norm = sum(c * c for c in self.coefficients) ** 0.5

    @abstractmethod
    def vectors(self, x: Any) -> Any:
        """y_g of every row, of a tensor or of an array of integers: [*n, g, k]."""

    @abstractmethod
    def terms(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n g"]:
        """The sum of the lengths of what each y_g is a difference of, for the size of its rounding."""

    @abstractmethod
    def spread(self, active: Float[Tensor, "n g k"]) -> Float[Tensor, "n d"]:
        """Σ_g (∂y_g/∂x)ᵀ active_g: the transpose of `vectors`."""

    def levels(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n l"]:
        """The distance of every vector from its limits, those of `above` first."""
        ρ = self._norm(self.vectors(x))
        return torch.cat(self._distances(ρ), -1) / self.norm

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return of_sign(self.levels(x).amin(-1), self.contains(x))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        x = x.detach().double()
        ρ, error = length(self.vectors(x)), ULP * (x.shape[-1] + 8) * self.terms(x) + TINY
        surely, possibly = torch.zeros_like(ρ, dtype=torch.bool), torch.zeros_like(ρ, dtype=torch.bool)
        if self.longest is not None:
            off = error + 8 * ULP * self.longest
            surely, possibly = surely | (ρ > self.longest + off), possibly | ~(ρ <= self.longest - off)
        if self.shortest is not None:
            off = error + 8 * ULP * self.shortest
            surely, possibly = surely | (ρ < self.shortest - off), possibly | ~(ρ >= self.shortest + off)
        found = settle(x, surely.any(-1), possibly.any(-1), self._exactly)
        return found | ~torch.isfinite(x).all(-1)  # no number is no pass

    def _exactly(self, rows: Float[Tensor, "r d"]) -> np.ndarray:
        X, dt, one = integers(rows, self.dt, 1.0)
        squared = (self.vectors(X) ** 2).sum(-1)
        inside = np.zeros(len(X), dtype=bool)
        for limit, sign in ((self.above, 1), (self.below, -1)):
            if limit is not None:
                numerator, unit = integers(limit, 1.0)
                # (y/one)² against (numerator/unit · (dt/one)^order)²
                bound = (int(numerator) * int(dt) ** self.order) ** 2 * int(one) ** 2
                y2 = squared * (int(unit) * int(one) ** self.order) ** 2
                inside |= np.asarray(y2 > bound if sign > 0 else y2 < bound, dtype=bool).any(-1)
        return inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        y = self.vectors(x)
        ρ, shape = self._norm(y), y.shape
        parts = self._distances(ρ)
        s, k = torch.cat(parts, -1).min(-1)
        rows, g = torch.arange(len(x), device=x.device), k % ρ.shape[1]
        sign = torch.where((k < ρ.shape[1]) & (self.longest is not None), -1.0, 1.0).to(x.dtype)
        ρ, y = ρ[rows, g], y[rows, g]
        active = x.new_zeros(shape).index_put((rows, g), (sign / ρ)[:, None] * y)
        laplacian = sign * self.norm * (y.shape[1] - squared_norm(y) / ρ.square()) / ρ
        return Jet(of_sign(s / self.norm, self.contains(x)), self.spread(active) / self.norm, laplacian)

    def stretch(self, coordinates: Coordinates) -> Float[Tensor, "l"]:
        """By how much every level changes at most where z moves by 1."""
        maps = self.vectors(coordinates.matrix.double().T).permute(1, 2, 0)
        several = (self.longest is not None) + (self.shortest is not None)
        return torch.linalg.matrix_norm(maps, 2).repeat(several) / self.norm

    def _distances(self, ρ: Tensor) -> list[Tensor]:
        high = [] if self.longest is None else [self.longest - ρ]
        return high + ([] if self.shortest is None else [ρ - self.shortest])

    def _norm(self, y: Tensor) -> Tensor:
        """‖y‖, smoothed within 1e-6 of the limit around 0, so that derivatives stay finite there."""
        limit = self.longest if self.longest is not None else self.shortest
        number = torch.finfo(y.dtype)
        return (squared_norm(y) + max(number.eps * 1e-2 * float(limit or 1) ** 2, number.tiny)).sqrt()


def length(v: Float[Tensor, "*n k"]) -> Float[Tensor, "*n"]:
    """‖v‖ of float64 vectors, without over- or underflow; NaN where a component is not finite."""
    most = v.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    return most * squared_norm(v / most[..., None]).sqrt()
