"""Drifts with a weight on the surrogate: fixed (a penalty), or adapted during the run (primal–dual Langevin).

u = v − Σ μ_k ∇f_k,    μ fixed,    or    μ ← [μ + η (E f − κβ)]₊  after every step (P.3; Chamon et al. 2024).

A fixed weight lowers ρ(𝒰) and bounds nothing (C.5). The primal–dual weight has the KL projection as its fixed
point, without invariance before it is reached: its multiplier responds to violations that have already
occurred. Derivatives flow through both, also to weights that are tensors.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Scalar, stacked
from barriers.filters.base import FilterInfo, Promise, combined, per_cloud
from barriers.filters.complementarity import times
from barriers.filters.whole import HERE, Whole
from barriers.functionals import Barrier, of_each


class DualMemory(NamedTuple):
    """The current multipliers."""

    multipliers: Float[Tensor, "*r m"]


class Penalty:
    """A fixed weight on each constraint's surrogate."""

    hook: Literal["drift"] = "drift"
    couples = False
    batched = True
    promise = Promise("none", "C.5: a penalty lowers ρ(𝒰); it bounds nothing")

    def __init__(self, barrier: Barrier, weights: Sequence[Scalar], whole: Whole = HERE):
        if len(weights) != barrier.limits.shape[0] or any(not w >= 0 for w in weights):
            raise ValueError(
                f"penalty: needs one weight >= 0 for each of {barrier.limits.shape[0]} constraints; got "
                f"{list(weights)}"
            )
        self.barrier, self.whole, self.weights = barrier, whole, stacked(weights)

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "*r n d"]) -> None:
        return None

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: None
    ) -> tuple[Float[Tensor, "*r n d"], None, FilterInfo]:
        weights = per_cloud(self.weights, x)
        u, observed = weighted(self.barrier, self.whole, x, drift, weights)
        return u, None, FilterInfo(observed, weights, torch.zeros_like(weights))

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return self.barrier.observed(self.whole.mean(of_each(self.barrier.statistics, x)))


class PrimalDual:
    """A weight that rises while its constraint is violated and falls while it is not, at dual rate η."""

    hook: Literal["drift"] = "drift"
    couples = True
    batched = True
    promise = Promise(
        "none", "P.3: the fixed point is the KL projection, but nothing is invariant on the way there"
    )

    def __init__(self, barrier: Barrier, dual_rate: Scalar = 1.0, whole: Whole = HERE):
        if not dual_rate > 0:
            raise ValueError(f"primal_dual: dual_rate must be > 0; got {dual_rate:g}")
        self.barrier, self.dual_rate, self.whole = barrier, dual_rate, whole

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "*r n d"]) -> DualMemory:
        return DualMemory(torch.zeros_like(per_cloud(self.barrier.limits, x)))

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: DualMemory
    ) -> tuple[Float[Tensor, "*r n d"], DualMemory, FilterInfo]:
        μ = memory.multipliers
        u, observed = weighted(self.barrier, self.whole, x, drift, μ)
        violation = observed - self.barrier.limits
        return (
            u,
            DualMemory((μ + self.dual_rate * violation).clamp(min=0)),
            FilterInfo(observed, μ, violation.clamp(min=0)),
        )

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return self.barrier.observed(self.whole.mean(of_each(self.barrier.statistics, x)))


def weighted(barrier: Barrier, whole: Whole, x: Tensor, drift: Tensor, μ: Tensor) -> tuple[Tensor, Tensor]:
    """v + Σ(Jᵀμ)_k ∇f_k, and the observed value of each constraint."""
    f, g = of_each(barrier.gradients, x)
    means = whole.mean(f)
    return drift + combined(g, times(barrier.jacobian(means).mT, μ)), barrier.observed(means)
