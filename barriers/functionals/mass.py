"""The mass inside sets, each at most its tolerance: B_φ(ρ) = κβ − E_ρ[φ] ≤ β − ρ(𝒰), one row per set (B.1,
B.2).
"""

from collections.abc import Callable, Sequence

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Scalar, stacked, value_and_gradient
from barriers.functionals.base import Barrier, Counted, StatisticsJet, side_by_side
from barriers.members import Members
from barriers.sets.ball import Ball
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.half_space import HalfSpace
from barriers.sets.soft import soften
from barriers.surrogates import Sigmoid, Surrogate, chain


class MassBarrier(Barrier):
    """B_φ(ρ) = κβ − E_ρ[φ], one row per set: at most `beta` of the mass inside each (B.1); derivatives flow
    to a β that is a tensor.
    """

    batched = True
    subtracts = True

    def __init__(self, sets: Sequence[UnsafeSet], surrogates: Sequence[Surrogate], betas: Sequence[Scalar]):
        super().__init__()
        if not len(sets) == len(surrogates) == len(betas):
            raise ValueError(
                f"MassBarrier: one surrogate and one beta a set; got {len(sets)}, {len(surrogates)}, "
                f"{len(betas)}"
            )
        if any(not 0 <= β < 1 for β in betas):
            raise ValueError(f"MassBarrier: beta must lie in [0, 1); got {list(betas)}")
        self.sets, self.surrogates = Members(sets), tuple(surrogates)
        self.betas = tuple(stacked(betas).detach().tolist())
        κβ = [φ.level * β for φ, β in zip(surrogates, betas, strict=True)]
        self.register_buffer("limits", stacked(κβ))

    @classmethod
    def example(cls) -> "MassBarrier":
        overlapping = [Ball([-0.3, 0.0], 1.0), HalfSpace([0.0, 1.0], 0.3)]
        return smooth_mass(overlapping, [Sigmoid(0.3), Sigmoid(0.4, 0.2)], [0.1, 0.2])

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        return side_by_side([φ.value(s(x)) for φ, s in zip(self.surrogates, self.sets, strict=True)])

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        jets = []
        for φ, unsafe in zip(self.surrogates, self.sets, strict=True):
            s = unsafe.jet(x)
            jets.append(chain(φ.profile(s.value), s))
        return StatisticsJet(*map(side_by_side, zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        values, gradients = [], []
        for φ, unsafe in zip(self.surrogates, self.sets, strict=True):
            s, ds = value_and_gradient(unsafe, x)
            value, slope = φ.slope(s)
            values.append(value)
            gradients.append(slope[:, None] * ds)
        return side_by_side(values), side_by_side(gradients)

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return self.limits - mean

    def of_distance(self) -> tuple[Surrogate, Callable[[Tensor], Tensor]] | None:
        return (self.surrogates[0], self.sets[0]) if len(self.surrogates) == 1 else None

    def counted(self) -> Counted:
        """Those inside each set: φ ≥ κ·1_𝒰 (B.2)."""
        return Counted(self._inside, self.betas, self.limits)

    def _inside(self, x: Float[Tensor, "n d"]) -> Bool[Tensor, "n m"]:
        return torch.stack([s.contains(x) for s in self.sets], 1)


def smooth_mass(
    sets: Sequence[UnsafeSet], surrogates: Sequence[Surrogate], betas: Sequence[Scalar]
) -> MassBarrier:
    """The mass barrier of a drift filter: every kink bounded smoothly from the safe side; raises NotSmooth
    where that is impossible (B.5).
    """
    for φ in surrogates:
        if not φ.smooth:
            raise NotSmooth(
                f"surrogate {type(φ).__name__} has a kink, which hides Itô mass from a drift filter; "
                "use soft_hinge"
            )
    return MassBarrier([soften(s, φ.width) for s, φ in zip(sets, surrogates, strict=True)], surrogates, betas)
