"""The clearance of the worst particles: the mean of s over its lowest share q, at least c (CVaR; Rockafellar
& Uryasev 2000; B.2).

    CVaR:   mean of s over the worst q  =  max_ℓ  ℓ − E[(ℓ − s)₊]/q
        (RU; the best ℓ is the q-quantile of s)
    B(ρ)  =  max_{ℓ ∈ levels}  ℓ − E[ψ_w(ℓ − s)]/q  −  c,    ψ_w(z) = w·log(1 + e^{z/w}) ≥ z₊,   ψ_0(z) = z₊

Any ℓ, and any ψ ≥ (·)₊, gives a lower bound of the mean, so B ≥ 0 implies the constraint for any levels; more
of them make it sharper. One level ℓ is the hinge surrogate of {s ≤ c} with width ℓ − c. Where s is a bound of
the distance, so is the clearance.

The maximum does not affect a filter: it works on the level that is best at present, and B is never below that
level's row.
"""

from collections.abc import Sequence

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, functional, torch
from barriers.derivatives import Jet, value_and_gradient
from barriers.functionals.base import Barrier, Counted, StatisticsJet, side_by_side
from barriers.sets.ball import Ball
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.soft import soften
from barriers.surrogates import Profile, chain


class TailClearance(Barrier):
    """The worst `share` of the mass keeps a mean signed distance of at least `clearance` to `unsafe`; one
    row, one statistic per level.

    limits = [−clearance]: a bound of the mean of −s over that share is observed.
    levels: signed distances at which the tail may begin, all above `clearance`. width: the smoothing of the
    kink; 0 keeps the kink, for a step filter only (a drift filter raises NotSmooth, B.5).
    """

    batched = True

    levels: Tensor

    def __init__(
        self, unsafe: UnsafeSet, clearance: float, share: float, levels: Sequence[float], width: float = 0.0
    ):
        super().__init__()
        if not 0 < share <= 1:
            raise ValueError(f"TailClearance: share must lie in (0, 1]; got {share:g}")
        if not levels or any(not clearance < level < float("inf") for level in levels):
            raise ValueError(
                f"TailClearance: levels must be finite numbers above the clearance {clearance:g}; got "
                f"{list(levels)}"
            )
        if not 0 <= width < float("inf"):
            raise ValueError(f"TailClearance: width must be >= 0; got {width:g}")
        self.region, self.clearance = unsafe, float(clearance)
        self.unsafe, self.share, self.width = (
            (soften(unsafe, width) if width else unsafe),
            float(share),
            float(width),
        )
        self.register_buffer("limits", torch.tensor([-clearance], dtype=torch.float64))
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float64))

    @classmethod
    def example(cls) -> "TailClearance":
        return cls(Ball([0.2, 0.0], 0.8), clearance=0.1, share=0.25, levels=[0.4, 0.8, 1.6], width=0.1)

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        z = self._below(self.unsafe(x))
        return (
            self.width * functional.softplus(z / self.width, threshold=40) if self.width else z.clamp(min=0)
        )

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        if not self.width:
            raise NotSmooth("TailClearance: a kink hides Itô mass from a drift filter; give it a width > 0")
        s: Jet = self.unsafe.jet(x)
        jets = [chain(profile, s) for profile in self._profiles(s.value)]
        return StatisticsJet(*map(side_by_side, zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        s, ds = value_and_gradient(self.unsafe, x)
        profiles = self._profiles(s)
        slopes = side_by_side([p.first[:, None] * ds for p in profiles])
        return side_by_side([p.value for p in profiles]), slopes

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        return (self.levels - mean / self.share).amax(-1, keepdim=True) + self.limits

    def counted(self) -> Counted:
        """Those with a smaller clearance: were they more than `share`, so would be the mean of the worst."""
        return Counted(self._near, (self.share,), self.levels.min() + self.limits)

    def _near(self, x: Float[Tensor, "n d"]) -> Bool[Tensor, "n m"]:
        return self.region(x)[:, None] < self.clearance

    def _below(self, s: Tensor) -> Tensor:
        return self.levels.to(s.dtype) - s[:, None]

    def _profiles(self, s: Tensor) -> list[Profile]:
        """ψ_w(ℓ − s) with its two derivatives in s, one profile per level."""
        z = self._below(s)
        if not self.width:
            return [Profile(c.clamp(min=0), -(c > 0).to(s.dtype), torch.zeros_like(c)) for c in z.unbind(1)]
        p, w = torch.sigmoid(z / self.width), self.width
        value = w * functional.softplus(z / w, threshold=40)
        return [
            Profile(*parts)
            for parts in zip(value.unbind(1), (-p).unbind(1), (p * (1 - p) / w).unbind(1), strict=True)
        ]
