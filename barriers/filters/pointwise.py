"""The pointwise drift filter: each particle satisfies a deterministic barrier condition, ∇s·u ≥ −α s.

min ‖u − v‖²  s.t.  ∇s_k(x)·u ≥ −α s_k(x),  one small QP per particle, all solved in one batch (Q.2 with the
              particle in place of the ensemble).

Under noise this bounds nothing (F.2): for Ornstein–Uhlenbeck, safe {x ≤ 0}, α ≥ 1, the stationary mass
outside is 1/(1 + √α). It is the common baseline, tested against that distribution; the theorem that zeroing
stochastic CBFs keep a set almost surely is refuted (So, Clark, Fan 2023).
"""

from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import value_and_gradient
from barriers.filters.base import FilterInfo, Promise, per_cloud, refuse_batches, unlimited
from barriers.filters.whole import HERE, Whole
from barriers.qp import solve_dual
from barriers.sets.base import UnsafeSet


class PointwiseFilter:
    """One control barrier function per particle, at barrier rate α."""

    hook: Literal["drift"] = "drift"
    couples = False
    batched = True
    promise = Promise(
        "none",
        "F.2: under noise the unsafe mass stays at 1/(1 + √α) for an Ornstein–Uhlenbeck process; it is a "
        "barrier only without noise",
    )

    def __init__(self, sets: Sequence[UnsafeSet], rate: float = 5.0, whole: Whole = HERE):
        if not rate > 0:
            raise ValueError(f"pointwise filter: rate must be > 0; got {rate:g}")
        self.sets, self.rate, self.limits = tuple(sets), rate, unlimited(len(sets))
        self.whole = whole

    def init(self, x: Float[Tensor, "*r n d"]) -> None:
        return None

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: None
    ) -> tuple[Float[Tensor, "*r n d"], None, FilterInfo]:
        refuse_batches("pointwise", x, drift)
        rows, v = x.flatten(0, -2), drift.flatten(0, -2)
        each = (value_and_gradient(k, rows) for k in self.sets)
        s, ds = (torch.stack(part, 1) for part in zip(*each, strict=True))
        G = torch.einsum("nkd,nld->nkl", ds, ds)
        r = -torch.einsum("nkd,nd->nk", ds, v) - self.rate * s
        solution = solve_dual(G, r)
        μ = solution.multipliers
        moved = torch.einsum("nk,nkd->nd", μ.to(x.dtype), ds)
        filtered = torch.where((μ > 0).any(1)[:, None], v + moved, v).reshape(drift.shape)
        each_μ, missed = (part.unflatten(0, x.shape[:-1]) for part in (μ, solution.shortfall))
        mean, most = self.whole.mean(each_μ), self.whole.largest(missed.amax(-2))
        return filtered, None, FilterInfo(per_cloud(self.limits, x), mean, most)

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return per_cloud(self.limits, x)
