"""What adds to an energy at a point and what takes from it: U = up − down, up to a constant (C.4).

Far out, infinite parts on both sides say nothing of their difference, and a difference of large numbers is
rounding: so the two are kept apart.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Growth(NamedTuple):
    """U = up − down at each point, up to a constant and to what is of lower order far out; in nats."""

    up: Float[Tensor, "n"]
    down: Float[Tensor, "n"]

    @staticmethod
    def of_one(value: Float[Tensor, "n"]) -> "Growth":
        """Nothing is taken."""
        return Growth(value, torch.zeros_like(value))

    @property
    def net(self) -> Tensor:
        """U; ∞ where nothing that is subtracted is infinite too, NaN where both are."""
        return self.up - self.down

    @property
    def size(self) -> Tensor:
        return self.up.abs() + self.down.abs()

    def minus(self, other: "Growth") -> "Growth":
        return Growth(self.up - other.up, self.down - other.down)

    def times(self, weight: float) -> "Growth":
        """Of weight · U; a negative weight exchanges what adds and what takes."""
        if weight < 0:
            return Growth(-weight * self.down, -weight * self.up)
        return Growth(weight * self.up, weight * self.down)
