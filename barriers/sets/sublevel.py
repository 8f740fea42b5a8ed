"""The region of low energy: {U ≤ level}, where a model has high density; its `not` is where the density is
low.

s = U − level is a level function, used through its first-order distance (see `pull`). Where U is NaN the row
is
inside: an undefined value does not pass.
"""

from typing import Annotated, ClassVar

from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.derivatives import Jet, autodiff_jet
from barriers.sets.base import UnsafeSet
from barriers.sets.field import Field, bounded


class Sublevel(UnsafeSet):
    """Everything whose energy is at most `level`: where that energy has a high density."""

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "sublevel",
        "energy": {"kind": "gaussian", "mean": [0.4, -0.2], "std": 0.6},
        "level": 2.0,
    }

    def __init__(
        self,
        energy: Annotated[
            Field,
            Doc(
                "The energy U that defines the region, in the data's units: an analytic "
                "energy or a checkpoint, not a trained one."
            ),
        ],
        level: Annotated[
            float, Doc("x is unsafe where U(x) <= level, in nats, with the additive constant of that energy.")
        ],
    ):
        super().__init__()
        self.energy, self.level, self.dimension, self.smooth = (
            energy,
            float(level),
            energy.dimension,
            energy.smooth,
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return bounded(self.energy(x) - self.level)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~(self.energy.exact(x) > self.level)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)
