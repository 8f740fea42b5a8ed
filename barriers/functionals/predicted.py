"""The mass inside sets after noise of a given width: B = β − E P(x + σξ ∈ 𝒰), one row per set (Q.5)."""

from collections.abc import Sequence
from functools import partial

from jaxtyping import Float

from barriers.arrays import Tensor
from barriers.derivatives import Scalar, autodiff_jet, stacked
from barriers.functionals.base import Barrier, StatisticsJet, side_by_side
from barriers.members import Members
from barriers.noise import Noise
from barriers.predicted import chance, with_distances
from barriers.sets.ball import Ball
from barriers.sets.base import UnsafeSet
from barriers.sets.half_space import HalfSpace


class PredictedMass(Barrier):
    """β − E P(x + σξ ∈ 𝒰): the barrier of penalties without a smoothing; its limit is β, since nothing is
    smoothed.
    """

    batched = True
    subtracts = True

    def __init__(self, sets: Sequence[UnsafeSet], betas: Sequence[Scalar], noise: Noise):
        super().__init__()
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"PredictedMass: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.noise = Members(map(with_distances, sets)), noise
        self.register_buffer("limits", stacked(betas))

    @classmethod
    def example(cls) -> "PredictedMass":
        return cls([Ball([-0.3, 0.0], 1.0), HalfSpace([0.0, 1.0], 0.3)], [0.1, 0.2], Noise(0.3))

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return side_by_side([chance(s, x, self.noise).value for s in self.sets])

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        jets = [autodiff_jet(partial(self._chance, s), x) for s in self.sets]
        return StatisticsJet(*map(side_by_side, zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        value, gradient = zip(*(chance(s, x, self.noise) for s in self.sets), strict=True)
        return side_by_side(value), side_by_side(gradient)

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return self.limits - mean

    def _chance(self, unsafe: UnsafeSet, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return chance(unsafe, x, self.noise).value
