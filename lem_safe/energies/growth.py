"""The positive and the negative part of an energy: U = up − down, up to a constant (C.4).

Far out, the difference of two infinite parts is undefined, and a difference of large numbers is rounding: so
the two are kept separately.
"""

from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch


class Growth(NamedTuple):
    """U = up − down at each point, up to a constant and terms of lower order far out; in nats."""

    up: Float[Tensor, "n"]
    down: Float[Tensor, "n"]

    @staticmethod
    def of_one(value: Float[Tensor, "n"]) -> "Growth":
        """A growth without a negative part."""
        return Growth(value, torch.zeros_like(value))

    @property
    def net(self) -> Tensor:
        """U; ∞ where only the positive part is infinite, NaN where both are."""
        return self.up - self.down

    @property
    def size(self) -> Tensor:
        return self.up.abs() + self.down.abs()

    def minus(self, other: "Growth") -> "Growth":
        return Growth(self.up - other.up, self.down - other.down)

    def times(self, weight: float) -> "Growth":
        """The growth of weight · U; a negative weight exchanges the parts."""
        if weight < 0:
            return Growth(-weight * self.down, -weight * self.up)
        return Growth(weight * self.up, weight * self.down)
