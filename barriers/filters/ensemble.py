"""The drift filter: the smallest change of the drift, over the whole ensemble, that keeps every barrier (Q.1,
Q.2).

min (1/2n)Σ‖uᵢ − vᵢ‖²  s.t.  dB_k/dt ≥ −α B_k,   dB/dt = J E[∇f·u + Δf],  J = ∂readout/∂mean

with the Itô term Δf (B.3, B.4). The solution is u = v + Σ(Jᵀμ)_k ∇f_k, so only m multipliers are unknown, not
n·d velocities. In the limit n → ∞, h → 0 this is the KL projection (F.1). Differentiable in x, v, α and the
parameters of the barrier (Q.3).

`speed` bounds how much any coordinate of a particle's drift may change: from an unsafe start the surrogate is
flat, and the least-squares solution would move particles far outside the range of the linearisation.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.declared import declares
from barriers.derivatives import Scalar, recorded
from barriers.filters.base import FilterInfo, Promise, combined, local_mean, refuse_batches
from barriers.filters.complementarity import times
from barriers.filters.nearby import FEWEST
from barriers.filters.one_row_clouds import filtered
from barriers.filters.whole import HERE, Whole
from barriers.functionals import Barrier, of_each
from barriers.qp import Backend, project, project_part, solve_dual
from barriers.qp.dual import OnInfeasible
from barriers.qp.rows import gram_and_times
from barriers.squares import inner

BLOCK_NUMBERS = 1 << 20
"""The size of a block of gradients: memory is O(n·d + n·m) for any m·d."""
AS_IT_IS = ("readout", "observed", "barriers", "jacobian")
"""Methods of a barrier that are not asked where it declares that it subtracts, and all of these are as they
were when it did.
"""
FEW = 1 << 15
"""So many numbers are multiplied in fewer operations than their pieces would take."""


class EnsembleMemory(NamedTuple):
    """The active set of the last step, the initial guess of the next, of each cloud."""

    active: Bool[Tensor, "r m"] | None


class Moments(NamedTuple):
    """Means over the cloud, in float64: of f, of ∇f·v + Δf, and of ∇f_k·∇f_l."""

    mean: Float[Tensor, "*r k"]
    rate: Float[Tensor, "*r k"]
    gram: Float[Tensor, "*r k k"]


class EnsembleFilter:
    """Keeps `barrier` nonnegative in expectation, at barrier rate α."""

    hook: Literal["drift"] = "drift"
    couples = True
    batched = True
    promise = Promise(
        "in expectation",
        "F.1: B(ρ_t) ≥ 0 and KL non-increasing as n → ∞, h → 0; noise enters after the filter, so a finite "
        "cloud fluctuates around it",
    )

    def __init__(
        self,
        barrier: Barrier,
        rate: Scalar = 5.0,
        on_infeasible: OnInfeasible = "relax",
        whole: Whole = HERE,
        speed: float | None = None,
        backend: Backend = "structured",
    ):
        if not rate > 0:
            raise ValueError(f"drift filter: rate must be > 0; got {rate:g}")
        if speed is not None and not speed > 0:
            raise ValueError(f"drift filter: speed must be > 0; got {speed:g}")
        self.barrier, self.rate, self.on_infeasible, self.whole = barrier, rate, on_infeasible, whole
        self.speed, self.backend = speed, backend

    @property
    def limits(self) -> Tensor:
        return self.barrier.limits

    def init(self, x: Float[Tensor, "*r n d"]) -> EnsembleMemory:
        return EnsembleMemory(None)

    def apply(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"], memory: EnsembleMemory
    ) -> tuple[Float[Tensor, "*r n d"], EnsembleMemory, FilterInfo]:
        refuse_batches("drift", x, drift)
        if x.shape[-2] < FEWEST and (found := self._one_row(x, drift)) is not None:
            return found
        moments, g = self._moments(x, drift)
        B, J = self.barrier.barriers(moments.mean), self.barrier.jacobian(moments.mean)
        m = B.shape[-1]
        G = J * moments.gram * J if J.shape[-2:] == (1, 1) else J @ moments.gram @ J.mT
        # how far v overshoots: > 0 where the barrier would fall too fast
        r = -times(J, moments.rate) - self.rate * B
        warm, raising = memory.active, self.on_infeasible
        solution = solve_dual(G.reshape(-1, m, m), r.reshape(-1, m), warm=warm, on_infeasible=raising)
        μ, shortfall = solution.multipliers.reshape(r.shape), solution.shortfall.reshape(r.shape)
        faster = drift
        if bool((μ > 0).any()):
            change = self._combination(x, g, times(J.mT, μ))
            if self.speed is not None or self.backend != "structured":
                whole = (μ > 0).any(-1)
                if self.speed is not None and self.backend == "structured":
                    fastest = self.whole.largest(change.abs().flatten(-2).amax(-1))
                    whole &= ~(fastest <= self.speed)
                if bool(whole.any()):
                    g = of_each(self.barrier.gradients, x)[1] if g is None else g
                    change, μ, shortfall = self._wholly(whole, g, drift, J, r, (change, μ, shortfall))
            faster = drift + change
        info = FilterInfo(self.barrier.observed(moments.mean), μ, shortfall)
        return faster, EnsembleMemory(μ.reshape(-1, m) > 0), info

    def _wholly(
        self,
        whole: Bool[Tensor, "*r"],
        g: Tensor,
        drift: Tensor,
        J: Tensor,
        r: Tensor,
        found: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The change, the multipliers and the shortfall, with those of some clouds from all their rows."""
        if drift.dim() == 2:
            change, μ, shortfall = self._whole(g[None], drift[None], J[None], r[None])
            return change[0], μ[0], shortfall[0]
        which = whole.nonzero()[:, 0]
        own = self._whole(g[which], drift[which], J[which], r[which])
        change, μ, shortfall = (part.index_copy(0, which, new) for part, new in zip(found, own, strict=True))
        return change, μ, shortfall

    def _whole(
        self,
        g: Float[Tensor, "q n k d"],
        drift: Float[Tensor, "q n d"],
        J: Float[Tensor, "q m k"],
        r: Float[Tensor, "q m"],
    ) -> tuple[Float[Tensor, "q n d"], Float[Tensor, "q m"], Float[Tensor, "q m"]]:
        """Solves the problems with all their rows: where the speed bound is active, or another library is to
        solve them.
        """
        rows = -torch.einsum("qmk,qnkd->qmnd", J.to(g.dtype), g).flatten(2)
        n, v = self.whole.size(drift), drift.flatten(1)
        if self.whole.spread:
            assert self.speed is not None, "no other library is asked where a cloud is spread"
            c = self._added(times(rows.double(), v.double())) - n * r
            part = project_part(v.double(), rows.double(), c, self.speed, self.on_infeasible, self._added)
            change = (part.u - v.double()).to(drift.dtype).reshape(drift.shape)
            return change, part.multipliers, part.shortfall / n
        found = project(
            v.double(),
            rows.double(),
            times(rows.double(), v.double()) - n * r,
            speed=self.speed,
            on_infeasible=self.on_infeasible,
            backend=self.backend,
        )
        change = (found.u - v.double()).to(drift.dtype).reshape(drift.shape)
        return change, found.multipliers, found.shortfall / n

    def _added(self, part: Tensor) -> Tensor:
        """The sum over the parts of the cloud."""
        return self.whole.sums(part)[0]

    def _one_row(
        self, x: Float[Tensor, "*r n d"], drift: Float[Tensor, "*r n d"]
    ) -> tuple[Float[Tensor, "*r n d"], EnsembleMemory, FilterInfo] | None:
        """`apply` to small clouds with one constraint on one mean, in fewer and cheaper calls; None where it
        is something else.
        """
        limit, rate, speed = self.barrier.limits, self.rate, self.speed
        if (
            len(limit) != 1
            or not (x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64))
            or not (x.shape == drift.shape and x.dim() < 4 and x.numel())
            or self.backend != "structured"
            or self.whole.spread
            or not all(declares(self.barrier, "subtracts", name) for name in AS_IT_IS)
        ):
            return None
        if isinstance(rate, Tensor) or isinstance(speed, Tensor) or recorded(x, drift, limit):
            return None
        jet = self.barrier.jet(x.reshape(-1, x.shape[-1]))
        if recorded(*jet) or jet.value.shape[1] != 1:
            return None
        clouds = drift if x.dim() > 2 else drift[None]
        found = filtered(jet, clouds, float(limit), rate, speed, self.on_infeasible)
        if found is None:
            return None
        mean, μ, shortfall = map(torch.from_numpy, found[1:])
        memory, info = EnsembleMemory(μ > 0), FilterInfo(mean, μ, shortfall)
        if x.dim() > 2:
            return found.drift, memory, info
        u = drift if found.drift is clouds else found.drift[0]
        return u, memory, FilterInfo(mean[0], μ[0], shortfall[0])

    def surrogate(self, x: Float[Tensor, "*r n d"], info: FilterInfo) -> Float[Tensor, "*r m"]:
        return self.barrier.observed(self.whole.mean(of_each(self.barrier.statistics, x)))

    def _moments(self, x: Tensor, drift: Tensor) -> tuple[Moments, Tensor | None]:
        """The moments of the cloud, and the gradients where they are one block."""
        sums: list[Tensor] | None = None
        n, g = self.whole.size(x), None
        for xb, vb in zip(*(self._blocks(t) for t in (x, drift)), strict=True):
            f, g, lap = of_each(self.barrier.jet, xb)
            along, gram = _products(g, vb)
            parts, share = [local_mean(f), along + local_mean(lap), gram], xb.shape[-2] / n
            own = parts if share == 1 else [share * p for p in parts]
            sums = own if sums is None else [s + p for s, p in zip(sums, own, strict=True)]
        assert sums is not None, "a cloud has at least one particle"
        return Moments(*self.whole.sums(*sums)), g if xb is x else None

    def _combination(self, x: Tensor, g: Tensor | None, weights: Tensor) -> Tensor:
        """Σ weights_k ∇f_k at every particle."""
        if g is not None:
            return combined(g, weights)
        parts = [combined(of_each(self.barrier.gradients, xb)[1], weights) for xb in self._blocks(x)]
        return torch.cat(parts, -2)

    def _blocks(self, x: Tensor) -> Sequence[Tensor]:
        rows = max(1, BLOCK_NUMBERS // (x.shape[-1] * max(1, self.barrier.limits.shape[0])))
        return [x] if x.shape[-2] <= rows else x.split(rows, -2)


def _products(
    g: Float[Tensor, "*r n k d"], v: Float[Tensor, "*r n d"]
) -> tuple[Float[Tensor, "*r k"], Float[Tensor, "*r k k"]]:
    """E[∇f·v] and E[∇f_k·∇f_l]; of many numbers of one cloud through the rows of a QP."""
    n = g.shape[-3]
    if g.dim() == 3 and g.numel() > FEW:
        gram, along = gram_and_times(g.transpose(0, 1)[None], None, v[None])
        return along[0] / n, gram[0] / n
    if g.shape[-2] == 1:
        row, wide = g.squeeze(-2), g.squeeze(-2).double()
        along = inner(row, v).mean(-1, keepdim=True, dtype=torch.float64)
        return along, inner(wide, wide).mean(-1)[..., None, None]
    g64 = g.double()
    gram = torch.einsum("...nkd,...nld->...kl", g64, g64) / n
    return local_mean(torch.einsum("...kd,...d->...k", g, v)), gram
