"""The latent numbers that one value of an ordered column has, and a free number in their place (E.30).

D maps an interval [a, b] of latent numbers to the value: a rounded number has those that are rounded to it, a
repeated one those between the ends of its ranks, an end of the range all beyond. Conditioning on the value is
conditioning on the interval, so the latent number still moves, within it: ζ = Φ⁻¹(Φ(a) + Φ(w)(Φ(b) − Φ(a)))
for any number w, normal where ζ is a normal number that is known to be in [a, b]. A value that D has at one
point alone, or jumps over, is that point: a = b.
"""

import math
from typing import NamedTuple

from jaxtyping import Float64

from barriers.arrays import Tensor, torch
from lem_safe.data.typed.fields import Field

NORMAL, LINEAR = 8.0, 37.0
"""The largest latent numbers: of ranks, and of a linear map; beyond, Φ is 0 in float64."""
HALVINGS = 64


class Stretch(NamedTuple):
    """An interval [low, high] of latent numbers."""

    low: float
    high: float

    @property
    def mass(self) -> float:
        """Φ(b) − Φ(a), on the side where the difference is exact."""
        low, high = (self.low, self.high) if self.low + self.high <= 0 else (-self.high, -self.low)
        return _normal(high) - _normal(low)

    def at(self, w: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
        """ζ, differentiable in w."""
        if self.mass <= 0:
            return 0 * w + (self.low + self.high) / 2
        if self.low + self.high <= 0:
            ζ = torch.special.ndtri(_normal(self.low) + torch.special.ndtr(w) * self.mass)
        else:
            ζ = -torch.special.ndtri(_normal(-self.high) + torch.special.ndtr(-w) * self.mass)
        return ζ.clamp(self.low, self.high)

    def slope(self, w: Float64[Tensor, "n"], ζ: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
        """dζ/dw = (Φ(b) − Φ(a)) φ(w)/φ(ζ)."""
        return self.mass * (0.5 * (ζ.square() - w.square())).exp()


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def stretch_of(field: Field, value: float) -> Stretch:
    """The latent numbers of a value within a column's range."""
    most = LINEAR if field.linear else NORMAL
    low = _first(field, value, most, reached=True)
    high = _first(field, value, most, reached=False)
    return Stretch(low, high) if low <= high else Stretch(high, high)


def _first(field: Field, value: float, most: float, reached: bool) -> float:
    """The first latent number from which on values are at least (`reached`) or above a value, by halving; the
    last one before, of those above.
    """
    below, above = -most, most
    for _ in range(HALVINGS):
        z = (below + above) / 2
        v = float(field.rounded(field.values(torch.tensor([z], dtype=torch.float64), _moving(field)))[0])
        if v >= value if reached else v > value:
            above = z
        else:
            below = z
    return above if reached else below


def _moving(field: Field) -> Tensor:
    """The code of values that are no codes."""
    return torch.tensor([float(len(field.atoms))], dtype=torch.float64)
